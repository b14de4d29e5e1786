#pragma once
/// \file
/// A progress bar on stderr, on terminals only.
#include <string>

namespace calotype::commands {

/// Redraws one line; wipes it when it goes. Calls of `show` must not overlap.
class ProgressBar {
 public:
  explicit ProgressBar(std::string subject);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(int done, int total);

 private:
  std::string subject_;
  bool visible_ = false;
  bool drawn_ = false;
};

}  // namespace calotype::commands

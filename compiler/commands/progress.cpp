/// \file
/// Drawing the progress bar.
#include "commands/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace calotype::commands {

ProgressBar::ProgressBar(std::string subject) : subject_(std::move(subject)), visible_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressBar::show(int done, int total) {
  if (!visible_ || total <= 0) return;
  constexpr int width = 40;
  const int filled = std::clamp(width * done / total, 0, width);
  fmt::print(stderr, "\r{} [{}{}] {}/{}\x1b[K", subject_, std::string(static_cast<std::size_t>(filled), '#'),
             std::string(static_cast<std::size_t>(width - filled), ' '), done, total);
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace calotype::commands

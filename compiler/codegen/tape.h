#pragma once
/// \file
/// Halide expressions as straight-line programs: what a definition says, computed element by element without compiling anything.
///
/// Integers and strict float operations give the bits that compiled code gives. Where Halide may contract (the polynomials inside transcendental
/// functions), the last bits may differ. Vectors, side effects and scattering updates are not understood.
#include <Halide.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace calotype::codegen {

/// The expression holds something that a tape cannot say.
struct NotOnTape : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One number. Integers are widened to 64 bits, each by its own sign; 16-bit floats are kept as f32.
union Slot {
  std::int64_t i;
  std::uint64_t u;
  double d;
  float f;
};

struct TapeFunction;

/// One operation; its number is tape.cpp's own. Slots are numbers of a frame.
struct Step {
  int operation = 0;
  Halide::Type from, to;  ///< of the operands, of the result
  int result = 0;
  std::vector<int> operands;
  Halide::Buffer<> image = {};
  TapeFunction* callee = nullptr;
};

struct Tape {
  std::vector<Step> steps;
  std::vector<std::pair<int, Slot>> constants;
  std::vector<Slot> frame;  ///< of the last run; constants stay
  int result = 0;
};

/// A definition's expression over some variables, with the Funcs that it calls, each evaluated at one place at a time.
class Program {
 public:
  /// Throws NotOnTape. Funcs named in `shared` remember their values.
  Program(const Halide::Expr& expression, const std::vector<std::string>& variables, const std::vector<std::string>& shared);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  Slot run(const std::vector<std::int64_t>& index);
  /// About how many steps an element takes, those of a shared Func apart.
  double steps() const { return steps_; }

 private:
  friend class TapeWriter;
  std::map<std::string, std::unique_ptr<TapeFunction>> functions_;
  std::vector<std::string> shared_;
  Tape main_;
  double steps_ = 0;
};

}  // namespace calotype::codegen

/// \file
/// Weights fetched into the cache before the loop that streams them: a pass over the lowered kernel.
///
/// A tile of output channels reads its weights once for each tile of pixels, the first time from memory: the processor's own prefetchers stop
/// at the end of each page, and a tile's multiplications hide little of that. So the loop over tiles of pixels fetches, slice by slice, what comes next.
/// Halide's own prefetch directive would repeat the whole panel in each iteration.
///
/// Measured on Zen 4, 512>512@14 by schedules/cpu/strassen.cpp in mobilenet_v1: 852 us without, 803 us with one or two lines in each block of input
/// channels, 915 us with the share of a pixel tile at once (too many misses in flight for the loop's own loads to pass).
#include "schedules/cpu/stream_ahead.h"

#include <optional>
#include <utility>
#include <vector>

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using namespace Halide::Internal;  // the tree that a lowered kernel is made of

/// The index of the first load from a buffer, with the loops around it at their first iteration.
class FirstLoad : public IRVisitor {
 public:
  explicit FirstLoad(std::string buffer) : buffer_(std::move(buffer)) {}
  Expr index;

 private:
  using IRVisitor::visit;
  std::string buffer_;
  std::vector<std::pair<std::string, Expr>> scope_;

  void visit(const Load* node) override {
    if (index.defined() || node->name != buffer_) return IRVisitor::visit(node);
    const Ramp* ramp = node->index.as<Ramp>();
    index = ramp != nullptr ? ramp->base : node->index;
    for (auto bound = scope_.rbegin(); bound != scope_.rend(); ++bound) index = substitute(bound->first, bound->second, index);
    if (!index.type().is_scalar()) index = Expr();
  }
  void visit(const For* node) override {
    scope_.emplace_back(node->name, node->min);
    IRVisitor::visit(node);
    scope_.pop_back();
  }
  void visit(const Let* node) override {
    node->value.accept(this);
    scope_.emplace_back(node->name, node->value);
    node->body.accept(this);
    scope_.pop_back();
  }
  void visit(const LetStmt* node) override {
    node->value.accept(this);
    scope_.emplace_back(node->name, node->value);
    node->body.accept(this);
    scope_.pop_back();
  }
};

class StreamAhead : public IRMutator {
 public:
  StreamAhead(std::vector<std::string> loops, std::string weights, std::int64_t panel)
      : loops_(std::move(loops)), weights_(std::move(weights)), panel_(static_cast<int>(panel)) {}

 private:
  using IRMutator::visit;
  std::vector<std::string> loops_;
  std::string weights_;
  int panel_;
  std::size_t depth_ = 0;  ///< loops that are open
  Expr start_;  ///< of the panel that is being read
  Expr iteration_;  ///< number of this iteration of all open loops
  std::int64_t iterations_ = 1;

  Stmt visit(const For* node) override {
    if (depth_ == loops_.size() || node->name != loops_[depth_]) return IRMutator::visit(node);
    const auto extent = as_const_int(node->extent);
    if (!extent || *extent < 1) return node;
    if (depth_ == 0) {
      FirstLoad first(weights_);
      Stmt(node).accept(&first);
      start_ = first.index;
      iteration_ = 0;
      iterations_ = 1;
    }
    if (!start_.defined()) return node;
    const Expr outer_iteration = iteration_;
    const std::int64_t outer_iterations = iterations_;
    iteration_ = iteration_ * static_cast<int>(*extent) + (Variable::make(Halide::Int(32), node->name) - node->min);
    iterations_ *= *extent;
    ++depth_;
    const Stmt body = depth_ == loops_.size() ? Block::make(fetches(), node->body) : mutate(node->body);
    --depth_;
    iteration_ = outer_iteration;
    iterations_ = outer_iterations;
    return For::make(node->name, node->min, node->extent, node->for_type, node->partition_policy, node->device_api, body);
  }

  /// What one iteration of the innermost loop asks for.
  Stmt fetches() const {
    constexpr int line = 16;  // floats
    const std::int64_t lines = (panel_ + line - 1) / line;
    std::vector<Stmt> all;
    const auto share = static_cast<int>((lines + iterations_ - 1) / iterations_);
    for (int i = 0; i < share; ++i) {
      const Expr ahead = simplify(start_ + panel_ + (iteration_ * share + i) * line);
      all.push_back(Evaluate::make(
          Call::make(Halide::Float(32), Call::prefetch, {Variable::make(Halide::Handle(), weights_), ahead, 1, 1}, Call::Intrinsic)));
    }
    return Block::make(all);
  }
};

}  // namespace

void stream_ahead(Halide::Func& output, const std::vector<std::string>& loops, const Halide::ImageParam& weights, std::int64_t panel) {
  output.add_custom_lowering_pass(new StreamAhead(loops, weights.name(), panel));
}

}  // namespace calotype::schedules::cpu

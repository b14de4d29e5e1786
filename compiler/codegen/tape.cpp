/// \file
/// From expressions to tapes: each distinct node becomes one step, in the order in which operands are known.
#include "codegen/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "codegen/tape_step.h"

namespace calotype::codegen {

/// A Func. The first slots of every tape are its arguments.
struct TapeFunction {
  struct Loop {
    int slot = 0;
    std::int64_t first = 0, extent = 0;
  };
  struct Update {
    Tape tape;
    int predicate = -1;  ///< slot, or none
    int so_far = -1;     ///< slot of the value before the update
    std::vector<Loop> loops;  ///< innermost first
  };
  Tape pure;
  std::vector<Update> updates;
  bool is_shared = false;
  std::map<std::vector<std::int64_t>, Slot> known;
  double steps = 0;

  Slot run(const Slot* arguments, std::size_t count);
};

namespace {

namespace ir = Halide::Internal;

void play(Tape& tape) {
  Slot operands[8];
  std::vector<Slot> many;
  for (const Step& step : tape.steps) {
    const std::size_t count = step.operands.size();
    Slot* x = operands;
    if (count > std::size(operands)) {
      many.resize(count);
      x = many.data();
    }
    for (std::size_t i = 0; i < count; ++i) x[i] = tape.frame[static_cast<std::size_t>(step.operands[i])];
    Slot& result = tape.frame[static_cast<std::size_t>(step.result)];
    if (step.callee != nullptr) {
      result = step.callee->run(x, count);
    } else if (step.operation == static_cast<int>(Operation::load)) {
      const halide_buffer_t& buffer = *step.image.raw_buffer();
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const halide_dimension_t& dimension = buffer.dim[i];
        if (x[i].i < dimension.min || x[i].i >= std::int64_t{dimension.min} + dimension.extent)
          throw NotOnTape("a read outside of an operand");
        offset += (x[i].i - dimension.min) * dimension.stride;
      }
      result = load_slot(step.to, buffer.host + offset * step.to.bytes());
    } else {
      result = apply(step, x);
    }
  }
}

}  // namespace

Slot TapeFunction::run(const Slot* arguments, std::size_t count) {
  std::vector<std::int64_t> key;
  if (is_shared) {
    for (std::size_t i = 0; i < count; ++i) key.push_back(arguments[i].i);
    const auto found = known.find(key);
    if (found != known.end()) return found->second;
  }
  const auto start = [&](Tape& tape) { std::copy(arguments, arguments + count, tape.frame.begin()); };
  start(pure);
  play(pure);
  Slot value = pure.frame[static_cast<std::size_t>(pure.result)];
  for (Update& update : updates) {
    start(update.tape);
    std::vector<Slot>& frame = update.tape.frame;
    std::int64_t total = 1;
    for (const Loop& loop : update.loops) {
      frame[static_cast<std::size_t>(loop.slot)].i = loop.first;
      total *= std::max<std::int64_t>(0, loop.extent);
    }
    for (std::int64_t i = 0; i < total; ++i) {
      if (update.so_far >= 0) frame[static_cast<std::size_t>(update.so_far)] = value;
      play(update.tape);
      if (update.predicate < 0 || frame[static_cast<std::size_t>(update.predicate)].u != 0)
        value = frame[static_cast<std::size_t>(update.tape.result)];
      for (const Loop& loop : update.loops) {
        std::int64_t& at = frame[static_cast<std::size_t>(loop.slot)].i;
        if (++at < loop.first + loop.extent) break;
        at = loop.first;
      }
    }
  }
  if (is_shared) known.emplace(std::move(key), value);
  return value;
}

/// Writes one tape; the Funcs that it meets become functions of the program.
class TapeWriter {
 public:
  TapeWriter(Program& program, Tape& tape) : program_(program), tape_(tape) {}

  int variable(const std::string& name) { return variables_[name] = fresh(); }

  /// Calls of this Func at its own place are the value so far.
  void set_self(const std::string& name, std::vector<std::string> arguments, int slot) {
    self_ = name;
    self_arguments_ = std::move(arguments);
    self_slot_ = slot;
  }
  double steps() const { return steps_; }
  bool reads_self() const { return reads_self_; }

  int write(const Halide::Expr& expression) {
    const auto known = slots_.find(expression.get());
    if (known != slots_.end()) return known->second;
    const int slot = write_new(expression);
    // What depends on a let's variable must not be found again outside of it.
    if (lets_ == 0) {
      slots_[expression.get()] = slot;
      kept_.push_back(expression);
    }
    return slot;
  }

  void finish(int result) {
    tape_.result = result;
    tape_.frame.assign(static_cast<std::size_t>(next_), Slot{});
    for (const auto& [slot, number] : tape_.constants) tape_.frame[static_cast<std::size_t>(slot)] = number;
  }

  int fresh() { return next_++; }

 private:
  int constant(Slot number) {
    const int slot = fresh();
    tape_.constants.emplace_back(slot, number);
    return slot;
  }

  int step(Operation operation, const Halide::Type& to, const std::vector<Halide::Expr>& operands) {
    Step step;
    step.operation = static_cast<int>(operation);
    step.to = to;
    step.from = operands.empty() ? to : operands[0].type();
    for (const Halide::Expr& operand : operands) step.operands.push_back(write(operand));
    return add(std::move(step));
  }

  int add(Step step) {
    step.result = fresh();
    tape_.steps.push_back(std::move(step));
    steps_ += 1;
    return tape_.steps.back().result;
  }

  template <typename Node>
  int binary(const Halide::Expr& expression, Operation operation) {
    const Node* node = expression.as<Node>();
    return step(operation, expression.type(), {node->a, node->b});
  }

  int write_new(const Halide::Expr& e) {
    using ir::IRNodeType;
    if (!e.type().is_scalar()) throw NotOnTape("a vector");
    switch (e.node_type()) {
      case IRNodeType::IntImm: return constant(constant_slot(e.type(), e.as<ir::IntImm>()->value));
      case IRNodeType::UIntImm: return constant(constant_slot(e.type(), e.as<ir::UIntImm>()->value));
      case IRNodeType::FloatImm: return constant(constant_slot(e.type(), e.as<ir::FloatImm>()->value));
      case IRNodeType::Cast: return step(Operation::convert, e.type(), {e.as<ir::Cast>()->value});
      case IRNodeType::Reinterpret: return step(Operation::reinterpret, e.type(), {e.as<ir::Reinterpret>()->value});
      case IRNodeType::Add: return binary<ir::Add>(e, Operation::add);
      case IRNodeType::Sub: return binary<ir::Sub>(e, Operation::subtract);
      case IRNodeType::Mul: return binary<ir::Mul>(e, Operation::multiply);
      case IRNodeType::Div: return binary<ir::Div>(e, Operation::divide);
      case IRNodeType::Mod: return binary<ir::Mod>(e, Operation::remainder);
      case IRNodeType::Min: return binary<ir::Min>(e, Operation::minimum);
      case IRNodeType::Max: return binary<ir::Max>(e, Operation::maximum);
      case IRNodeType::EQ: return binary<ir::EQ>(e, Operation::equal);
      case IRNodeType::LT: return binary<ir::LT>(e, Operation::less);
      case IRNodeType::LE: return binary<ir::LE>(e, Operation::less_equal);
      case IRNodeType::NE: return negated(step(Operation::equal, e.type(), {e.as<ir::NE>()->a, e.as<ir::NE>()->b}));
      case IRNodeType::GT: return step(Operation::less, e.type(), {e.as<ir::GT>()->b, e.as<ir::GT>()->a});
      case IRNodeType::GE: return step(Operation::less_equal, e.type(), {e.as<ir::GE>()->b, e.as<ir::GE>()->a});
      case IRNodeType::And: return binary<ir::And>(e, Operation::logical_and);
      case IRNodeType::Or: return binary<ir::Or>(e, Operation::logical_or);
      case IRNodeType::Not: return step(Operation::logical_not, e.type(), {e.as<ir::Not>()->a});
      case IRNodeType::Select: {
        const auto* node = e.as<ir::Select>();
        return step(Operation::select, e.type(), {node->condition, node->true_value, node->false_value});
      }
      case IRNodeType::Variable: return read_variable(e.as<ir::Variable>()->name);
      case IRNodeType::Let: return write_let(*e.as<ir::Let>());
      case IRNodeType::Call: return write_call(e, *e.as<ir::Call>());
      default: throw NotOnTape("a kind of expression");
    }
  }

  int negated(int slot) {
    Step step;
    step.operation = static_cast<int>(Operation::logical_not);
    step.from = step.to = Halide::Bool();
    step.operands = {slot};
    return add(std::move(step));
  }

  int read_variable(const std::string& name) {
    const auto known = variables_.find(name);
    if (known == variables_.end()) throw NotOnTape("the variable " + name);
    return known->second;
  }

  int write_let(const ir::Let& let) {
    const int value = write(let.value);
    const auto outer = variables_.find(let.name);
    const int before = outer == variables_.end() ? -1 : outer->second;
    variables_[let.name] = value;
    ++lets_;
    const int body = write(let.body);
    --lets_;
    if (before < 0) {
      variables_.erase(let.name);
    } else {
      variables_[let.name] = before;
    }
    return body;
  }

  int write_call(const Halide::Expr& e, const ir::Call& call);
  int call_function(const Halide::Expr& e, const ir::Call& call);
  TapeFunction& function_of(const ir::Function& function);

  Program& program_;
  Tape& tape_;
  std::map<const void*, int> slots_;
  std::vector<Halide::Expr> kept_;  // so that no other node takes an address in slots_
  std::map<std::string, int> variables_;
  int next_ = 0, lets_ = 0;
  double steps_ = 0;
  std::string self_;
  std::vector<std::string> self_arguments_;
  int self_slot_ = -1;
  bool reads_self_ = false;
};

namespace {

struct NamedOperation {
  std::string_view name;
  Operation operation;
};

/// Halide's intrinsics that are plain arithmetic.
constexpr NamedOperation intrinsics[] = {
    {"strict_add", Operation::add},
    {"strict_sub", Operation::subtract},
    {"strict_mul", Operation::multiply},
    {"strict_div", Operation::divide},
    {"strict_min", Operation::minimum},
    {"strict_max", Operation::maximum},
    {"strict_eq", Operation::equal},
    {"strict_lt", Operation::less},
    {"strict_le", Operation::less_equal},
    {"bitwise_and", Operation::bit_and},
    {"bitwise_or", Operation::bit_or},
    {"bitwise_xor", Operation::bit_xor},
    {"bitwise_not", Operation::bit_not},
    {"shift_left", Operation::shift_left},
    {"shift_right", Operation::shift_right},
    {"div_round_to_zero", Operation::truncating_divide},
    {"mod_round_to_zero", Operation::truncating_remainder},
    {"abs", Operation::absolute},
    {"count_leading_zeros", Operation::leading_zeros},
    {"count_trailing_zeros", Operation::trailing_zeros},
    {"popcount", Operation::population},
    {"round", Operation::round},
    {"likely", Operation::copy},
    {"likely_if_innermost", Operation::copy},
    {"promise_clamped", Operation::copy},
    {"unsafe_promise_clamped", Operation::copy},
    {"if_then_else", Operation::select},
};

/// Functions of the C library, without _f32 or _f64.
constexpr NamedOperation externs[] = {
    {"is_nan", Operation::is_nan},
    {"is_inf", Operation::is_infinite},
    {"is_finite", Operation::is_finite},
    {"sqrt", Operation::square_root},
    {"floor", Operation::floor},
    {"ceil", Operation::ceil},
    {"trunc", Operation::truncate},
    {"round", Operation::round},
    {"pow", Operation::power},
    {"exp", Operation::exponential},
    {"log", Operation::logarithm},
    {"sin", Operation::sine},
    {"cos", Operation::cosine},
    {"tan", Operation::tangent},
    {"asin", Operation::arc_sine},
    {"acos", Operation::arc_cosine},
    {"atan", Operation::arc_tangent},
    {"atan2", Operation::arc_tangent2},
    {"sinh", Operation::hyperbolic_sine},
    {"cosh", Operation::hyperbolic_cosine},
    {"tanh", Operation::hyperbolic_tangent},
    {"asinh", Operation::arc_hyperbolic_sine},
    {"acosh", Operation::arc_hyperbolic_cosine},
    {"atanh", Operation::arc_hyperbolic_tangent},
};

const NamedOperation* find_operation(std::span<const NamedOperation> list, std::string_view name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const NamedOperation& entry) { return entry.name == name; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

int TapeWriter::write_call(const Halide::Expr& e, const ir::Call& call) {
  if (call.call_type == ir::Call::Halide) return call_function(e, call);
  if (call.call_type == ir::Call::Image) {
    if (!call.image.defined()) throw NotOnTape("an image that is not there");
    const int slot = step(Operation::load, e.type(), call.args);
    tape_.steps.back().image = call.image;
    return slot;
  }
  if (call.call_type == ir::Call::PureIntrinsic || call.call_type == ir::Call::Intrinsic) {
    // The first argument of a promise is the value; its bounds do not matter here.
    const NamedOperation* entry = find_operation(intrinsics, call.name);
    if (entry == nullptr) throw NotOnTape("the intrinsic " + call.name);
    if (entry->operation == Operation::copy) return write(call.args[0]);
    return step(entry->operation, e.type(), call.args);
  }
  std::string_view name = call.name;
  if (name.ends_with("_f32") || name.ends_with("_f64")) name.remove_suffix(4);
  const NamedOperation* entry = find_operation(externs, name);
  if (entry == nullptr) throw NotOnTape("the function " + call.name);
  return step(entry->operation, e.type(), call.args);
}

int TapeWriter::call_function(const Halide::Expr& e, const ir::Call& call) {
  const ir::Function function(call.func);
  if (function.outputs() != 1) throw NotOnTape("a tuple");
  if (call.name == self_) {
    for (std::size_t i = 0; i < call.args.size(); ++i) {
      const auto* variable = call.args[i].as<ir::Variable>();
      if (variable == nullptr || variable->name != self_arguments_[i]) throw NotOnTape("a recurrence");
    }
    reads_self_ = true;
    return self_slot_;
  }
  TapeFunction& callee = function_of(function);
  const int slot = step(Operation::call, e.type(), call.args);
  tape_.steps.back().callee = &callee;
  steps_ += callee.is_shared ? 10 : callee.steps;
  return slot;
}

TapeFunction& TapeWriter::function_of(const ir::Function& function) {
  std::unique_ptr<TapeFunction>& entry = program_.functions_[function.name()];
  if (entry) return *entry;
  entry = std::make_unique<TapeFunction>();
  TapeFunction& made = *entry;
  const std::vector<std::string>& shared = program_.shared_;
  made.is_shared = std::find(shared.begin(), shared.end(), function.name()) != shared.end();
  const std::vector<std::string> arguments = function.args();
  {
    TapeWriter writer(program_, made.pure);
    for (const std::string& argument : arguments) writer.variable(argument);
    const int result = writer.write(function.values().front());
    writer.finish(result);
    made.steps = writer.steps();
  }
  for (const ir::Definition& definition : function.updates()) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const auto* variable = definition.args()[i].as<ir::Variable>();
      if (variable == nullptr || variable->name != arguments[i]) throw NotOnTape("an update that scatters");
    }
    TapeFunction::Update& update = made.updates.emplace_back();
    TapeWriter writer(program_, update.tape);
    for (const std::string& argument : arguments) writer.variable(argument);
    double times = 1;
    for (const ir::ReductionVariable& variable : definition.schedule().rvars()) {
      const auto first = ir::as_const_int(Halide::Internal::simplify(variable.min)),
                 extent = ir::as_const_int(ir::simplify(variable.extent));
      if (!first || !extent) throw NotOnTape("a domain that depends on something");
      update.loops.push_back({writer.variable(variable.var), *first, *extent});
      times *= static_cast<double>(std::max<std::int64_t>(0, *extent));
    }
    const int so_far = writer.fresh();
    writer.set_self(function.name(), arguments, so_far);
    if (!ir::is_const_one(definition.predicate())) update.predicate = writer.write(definition.predicate());
    const int result = writer.write(definition.values().front());
    update.so_far = so_far;
    writer.finish(result);
    made.steps += times * writer.steps();
  }
  return made;
}

Program::Program(const Halide::Expr& expression, const std::vector<std::string>& variables, const std::vector<std::string>& shared)
    : shared_(shared) {
  TapeWriter writer(*this, main_);
  for (const std::string& variable : variables) writer.variable(variable);
  writer.finish(writer.write(expression));
  steps_ = writer.steps();
  for (const auto& [name, function] : functions_) {
    if (function->is_shared) steps_ += 1;
  }
}

Program::~Program() = default;

Slot Program::run(const std::vector<std::int64_t>& index) {
  for (std::size_t i = 0; i < index.size(); ++i) main_.frame[i].i = index[i];
  play(main_);
  return main_.frame[static_cast<std::size_t>(main_.result)];
}

}  // namespace calotype::codegen

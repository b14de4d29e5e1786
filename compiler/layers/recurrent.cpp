/// \file
/// RNN, GRU and LSTM of ONNX, written out step by step: the operands of all steps meet their weights in one dense layer, then each step adds
/// what the hidden state contributes. Gates, biases and outputs are as ONNX describes them.
///
/// A sequence shorter than the longest keeps its state over the steps that it does not have, in either direction, and its outputs there are 0.
#include "layers/recurrent.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace calotype::layers {
namespace {

using Numbers = std::vector<std::int64_t>;

/// An activation by ONNX's name with its parameters.
struct Activation {
  std::string name;
  double alpha = 0, beta = 0;
};

struct Parameters {
  double alpha = 0, beta = 0;
  bool has_alpha = false, has_beta = false;
};

/// ONNX's defaults; throws for a name that it has not.
Parameters parameters_of(const OnnxBuilder& builder, const std::string& name) {
  if (name == "affine") return {1, 0, true, true};
  if (name == "elu" || name == "thresholdedrelu") return {1, 0, true, false};
  if (name == "hardsigmoid") return {0.2, 0.5, true, true};
  if (name == "leakyrelu") return {0.01, 0, true, false};
  if (name == "scaledtanh") return {1, 1, true, true};
  static const std::set<std::string> plain = {"relu", "tanh", "sigmoid", "softsign", "softplus"};
  if (!plain.contains(name)) builder.unsupported(fmt::format("activation {}", name));
  return {};
}

/// What the node asks for, and what its operands have in common.
struct Cell {
  std::int64_t gates = 1, steps = 0, batch = 0, hidden = 0, directions = 1;
  bool batch_first = false;
  double clip = 0;  ///< 0: none
  std::vector<Activation> activations;  ///< those of the first direction, then those of the second
  ValueId x = no_value;  ///< [steps, batch, features]
  ValueId lengths = no_value;  ///< [batch], where some sequence may be shorter
};

/// The weights of one direction.
struct Weights {
  ValueId input = no_value, hidden = no_value;  ///< [gates * hidden, features] and [gates * hidden, hidden]
  ValueId input_bias = no_value, hidden_bias = no_value;  ///< [gates * hidden] or absent
};

struct State {
  ValueId hidden = no_value, cell = no_value;
};

class Writer {
 public:
  Writer(const OnnxNode& node, OnnxBuilder& builder) : node_(node), builder_(builder) {}

  ValueId part(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
    if (begin == 0 && builder_.extents(x)[static_cast<std::size_t>(axis)] == end) return x;
    return builder_.emit("slice", {x}, {named("begin", Numbers{begin}), named("end", Numbers{end}), named("axes", Numbers{axis})});
  }
  ValueId reshaped(ValueId x, const Numbers& shape) {
    return builder_.extents(x) == shape ? x : builder_.emit("reshape", {x}, {named("shape", shape)});
  }
  ValueId transposed(ValueId x, const Numbers& order) { return builder_.emit("transpose", {x}, {named("order", order)}); }
  ValueId sum(ValueId a, ValueId b) { return builder_.emit("add", {a, b}); }
  ValueId product(ValueId a, ValueId b) { return builder_.emit("mul", {a, b}); }
  ValueId number(ValueId like, double value) { return builder_.constant(builder_.type(like).element, value); }
  ValueId one_minus(ValueId x) { return builder_.emit("sub", {number(x, 1), x}); }
  ValueId joined(const std::vector<ValueId>& parts, std::int64_t axis) {
    return parts.size() == 1 ? parts.front() : builder_.emit("concat", parts, {named("axis", axis)});
  }
  /// x * weight^T + bias on the last axis.
  ValueId dense(ValueId x, ValueId weight, ValueId bias) {
    Attributes attributes = {named("units", builder_.extents(weight)[0])};
    if (bias == no_value) attributes.push_back(named("bias", false));
    std::vector<ValueId> operands = {x, weight};
    if (bias != no_value) operands.push_back(bias);
    return builder_.emit("dense", std::move(operands), std::move(attributes));
  }
  ValueId zeros(ElementType element, const Numbers& shape) {
    const TensorType type{element, shape};
    return builder_.constant(own(type, std::vector<std::byte>(static_cast<std::size_t>(type.bytes()))));
  }

  ValueId activated(ValueId x, const Activation& activation, double clip) {
    if (clip > 0) x = builder_.emit("clip", {x}, {named("min", -clip), named("max", clip)});
    const std::string& name = activation.name;
    const double alpha = activation.alpha, beta = activation.beta;
    if (name == "affine") return sum(product(x, number(x, alpha)), number(x, beta));
    if (name == "scaledtanh") return product(builder_.emit("tanh", {product(x, number(x, beta))}), number(x, alpha));
    if (name == "softsign") return builder_.emit("div", {x, sum(builder_.emit("abs", {x}), number(x, 1))});
    if (name == "elu") return builder_.emit("elu", {x}, {named("alpha", alpha)});
    if (name == "thresholdedrelu") return builder_.emit("thresholded_relu", {x}, {named("alpha", alpha)});
    if (name == "hardsigmoid") return builder_.emit("hard_sigmoid", {x}, {named("alpha", alpha), named("beta", beta)});
    if (name == "leakyrelu") return builder_.emit("leaky_relu", {x}, {named("slope", alpha)});
    return builder_.emit(name, {x});
  }

  Cell read_cell(std::int64_t gates, const std::vector<std::string>& defaults);
  Weights read_weights(const Cell& cell, std::int64_t direction);
  /// The node's initial state number `input`, [batch, hidden], else zeros.
  ValueId initial(const Cell& cell, std::size_t input, std::int64_t direction);

  /// From the operand's share of the gates at a step and the state before it, the state after it.
  using Step = std::function<State(ValueId gates, const State& before)>;
  void run(const Cell& cell, const std::function<Step(std::int64_t direction, const Weights&)>& step_of,
           const std::function<ValueId(const Weights&)>& bias_of);

 private:
  std::vector<Activation> read_activations(const std::vector<std::string>& defaults, std::int64_t directions) const;

  const OnnxNode& node_;
  OnnxBuilder& builder_;
};

std::vector<Activation> Writer::read_activations(const std::vector<std::string>& defaults, std::int64_t directions) const {
  std::vector<std::string> names;
  if (const OnnxAttribute* given = node_.find("activations")) {
    const auto* list = std::get_if<std::vector<std::string>>(&given->value);
    if (list != nullptr) names = *list;
  }
  const std::size_t wanted = defaults.size() * static_cast<std::size_t>(directions);
  if (names.empty()) {
    for (std::int64_t d = 0; d < directions; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
  }
  if (names.size() != wanted) builder_.fail(fmt::format("activations must be {} names, not {}", wanted, names.size()));
  const std::vector<double> alphas = node_.reals("activation_alpha"), betas = node_.reals("activation_beta");
  std::size_t next_alpha = 0, next_beta = 0;
  std::vector<Activation> activations;
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    Parameters parameters = parameters_of(builder_, name);
    if (parameters.has_alpha && next_alpha < alphas.size()) parameters.alpha = alphas[next_alpha++];
    if (parameters.has_beta && next_beta < betas.size()) parameters.beta = betas[next_beta++];
    activations.push_back({name, parameters.alpha, parameters.beta});
  }
  return activations;
}

Cell Writer::read_cell(std::int64_t gates, const std::vector<std::string>& defaults) {
  const std::string direction = node_.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    builder_.fail(fmt::format("direction is forward, reverse or bidirectional, not {}", direction));
  }
  Cell cell;
  cell.gates = gates;
  cell.batch_first = node_.integer("layout", 0) != 0;
  cell.clip = node_.real("clip", 0);
  cell.x = builder_.input(0);
  const Numbers weight = builder_.extents(builder_.input(1)), recurrence = builder_.extents(builder_.input(2));
  if (builder_.extents(cell.x).size() != 3 || weight.size() != 3 || recurrence.size() != 3)
    builder_.fail("X, W and R must have three dimensions");
  if (cell.batch_first) cell.x = transposed(cell.x, {1, 0, 2});
  cell.steps = builder_.extents(cell.x)[0];
  cell.batch = builder_.extents(cell.x)[1];
  cell.directions = weight[0];
  cell.hidden = recurrence[2];
  if (cell.directions != (direction == "bidirectional" ? 2 : 1)) {
    builder_.fail(fmt::format("direction is {}, but W is {}", direction, to_text(weight)));
  }
  if (weight[1] != gates * cell.hidden || recurrence[1] != weight[1]) {
    builder_.fail(fmt::format("W {} and R {} do not have {} gates of {}", to_text(weight), to_text(recurrence), gates, cell.hidden));
  }
  const Numbers state =
      cell.batch_first ? Numbers{cell.batch, cell.directions, cell.hidden} : Numbers{cell.directions, cell.batch, cell.hidden};
  const Numbers shapes[] = {{cell.directions, 2 * weight[1]}, {cell.batch}, state, state, {cell.directions, 3 * cell.hidden}};
  for (std::size_t i = 0; i < std::size(shapes); ++i) {
    if (!builder_.has(i + 3) || builder_.extents(builder_.input(i + 3)) == shapes[i]) continue;
    builder_.fail(
        fmt::format("{} must be {}, not {}", node_.inputs[i + 3], to_text(shapes[i]), to_text(builder_.extents(builder_.input(i + 3)))));
  }
  if (cell.steps < 1) builder_.unsupported("a sequence without steps");
  cell.activations = read_activations(defaults, cell.directions);
  if (builder_.has(4)) {
    bool is_full = builder_.is_known(builder_.input(4));
    if (is_full) {
      for (const std::int64_t length : builder_.integers(4)) is_full = is_full && length == cell.steps;
    }
    if (!is_full) cell.lengths = builder_.input(4);
  }
  return cell;
}

Weights Writer::read_weights(const Cell& cell, std::int64_t direction) {
  const std::int64_t rows = cell.gates * cell.hidden;
  const auto of_direction = [&](std::size_t input, const Numbers& shape) {
    return reshaped(part(builder_.input(input), 0, direction, direction + 1), shape);
  };
  Weights weights;
  weights.input = of_direction(1, {rows, builder_.extents(builder_.input(1))[2]});
  weights.hidden = of_direction(2, {rows, cell.hidden});
  if (builder_.has(3)) {
    const ValueId both = of_direction(3, {2 * rows});
    weights.input_bias = part(both, 0, 0, rows);
    weights.hidden_bias = part(both, 0, rows, 2 * rows);
  }
  return weights;
}

ValueId Writer::initial(const Cell& cell, std::size_t input, std::int64_t direction) {
  const Numbers shape = {cell.batch, cell.hidden};
  if (!builder_.has(input)) return zeros(builder_.type(cell.x).element, shape);
  return reshaped(part(builder_.input(input), cell.batch_first ? 1 : 0, direction, direction + 1), shape);
}

void Writer::run(const Cell& cell, const std::function<Step(std::int64_t, const Weights&)>& step_of,
                 const std::function<ValueId(const Weights&)>& bias_of) {
  const bool has_cell = cell.gates == 4;
  const std::int64_t rows = cell.gates * cell.hidden;
  const Numbers state_shape = {cell.batch, cell.hidden};
  std::vector<std::vector<ValueId>> outputs(static_cast<std::size_t>(cell.steps));  // by step, then by direction
  std::vector<ValueId> last_hidden, last_cell;
  const std::string direction = node_.text("direction", "forward");
  for (std::int64_t d = 0; d < cell.directions; ++d) {
    const Weights weights = read_weights(cell, d);
    const Step step = step_of(d, weights);
    const ValueId all = dense(cell.x, weights.input, bias_of(weights));
    State state = {initial(cell, 5, d), has_cell ? initial(cell, 6, d) : no_value};
    const bool is_reverse = d == 1 || direction == "reverse";
    for (std::int64_t i = 0; i < cell.steps; ++i) {
      const std::int64_t t = is_reverse ? cell.steps - 1 - i : i;
      const State next = step(reshaped(part(all, 0, t, t + 1), {cell.batch, rows}), state);
      ValueId output = next.hidden;
      if (cell.lengths == no_value) {
        state = next;
      } else {
        const ValueId lengths = reshaped(cell.lengths, {cell.batch, 1});
        const ValueId is_there =
            builder_.emit("greater", {lengths, builder_.constant(builder_.type(lengths).element, static_cast<double>(t))});
        state.hidden = builder_.emit("where", {is_there, next.hidden, state.hidden});
        if (has_cell) state.cell = builder_.emit("where", {is_there, next.cell, state.cell});
        output = builder_.emit("where", {is_there, next.hidden, zeros(builder_.type(output).element, state_shape)});
      }
      outputs[static_cast<std::size_t>(t)].push_back(output);
    }
    last_hidden.push_back(state.hidden);
    last_cell.push_back(state.cell);
  }
  const Numbers one_state = cell.batch_first ? Numbers{cell.batch, 1, cell.hidden} : Numbers{1, cell.batch, cell.hidden};
  const auto bind_state = [&](std::size_t output, std::vector<ValueId> states) {
    if (!node_.has_output(output)) return;
    for (ValueId& state : states) state = reshaped(state, one_state);
    builder_.bind(output, joined(states, cell.batch_first ? 1 : 0));
  };
  if (node_.has_output(0)) {
    std::vector<ValueId> steps;
    const std::int64_t time_axis = cell.batch_first ? 1 : 0, direction_axis = cell.batch_first ? 2 : 1;
    const Numbers one = cell.batch_first ? Numbers{cell.batch, 1, 1, cell.hidden} : Numbers{1, 1, cell.batch, cell.hidden};
    for (std::vector<ValueId>& of_step : outputs) {
      for (ValueId& output : of_step) output = reshaped(output, one);
      steps.push_back(joined(of_step, direction_axis));
    }
    builder_.bind(0, joined(steps, time_axis));
  }
  bind_state(1, last_hidden);
  if (has_cell) bind_state(2, last_cell);
}

ValueId both_biases(Writer& writer, const Weights& weights) {
  return weights.input_bias == no_value ? no_value : writer.sum(weights.input_bias, weights.hidden_bias);
}

}  // namespace

/// H = f(x W + H R + b)
void adapt_rnn(const OnnxNode& node, OnnxBuilder& builder) {
  Writer writer(node, builder);
  const Cell cell = writer.read_cell(1, {"Tanh"});
  writer.run(
      cell,
      [&](std::int64_t direction, const Weights& weights) -> Writer::Step {
        return [&cell, &writer, weights, direction](ValueId gates, const State& before) -> State {
          const ValueId sum = writer.sum(writer.dense(before.hidden, weights.hidden, no_value), gates);
          return {writer.activated(sum, cell.activations[static_cast<std::size_t>(direction)], cell.clip), no_value};
        };
      },
      [&](const Weights& weights) { return both_biases(writer, weights); });
}

/// z, r = f(x W + H R + b); h = g(x W + (r H) R + b), or before the reset g(x W + b + r (H R + b)); H = (1 - z) h + z H
void adapt_gru(const OnnxNode& node, OnnxBuilder& builder) {
  Writer writer(node, builder);
  const Cell cell = writer.read_cell(3, {"Sigmoid", "Tanh"});
  const bool is_linear = node.integer("linear_before_reset", 0) != 0;
  const std::int64_t size = cell.hidden;
  const auto rows = [&](ValueId x, std::int64_t axis, std::int64_t from, std::int64_t to) {
    return x == no_value ? no_value : writer.part(x, axis, from * size, to * size);
  };
  writer.run(
      cell,
      [&](std::int64_t direction, const Weights& weights) -> Writer::Step {
        const ValueId update_and_reset = rows(weights.hidden, 0, 0, 2), candidate = rows(weights.hidden, 0, 2, 3);
        const ValueId gate_bias = rows(weights.hidden_bias, 0, 0, 2), candidate_bias = rows(weights.hidden_bias, 0, 2, 3);
        const Activation* activation = &cell.activations[static_cast<std::size_t>(2 * direction)];
        return [=, &cell, &writer](ValueId gates, const State& before) -> State {
          const ValueId from_state = writer.dense(before.hidden, update_and_reset, gate_bias);
          const ValueId both = writer.activated(writer.sum(from_state, writer.part(gates, 1, 0, 2 * size)), activation[0], cell.clip);
          const ValueId update = writer.part(both, 1, 0, size), reset = writer.part(both, 1, size, 2 * size);
          const ValueId recurrent = is_linear ? writer.product(writer.dense(before.hidden, candidate, candidate_bias), reset)
                                              : writer.dense(writer.product(reset, before.hidden), candidate, candidate_bias);
          const ValueId fresh =
              writer.activated(writer.sum(recurrent, writer.part(gates, 1, 2 * size, 3 * size)), activation[1], cell.clip);
          return {writer.sum(writer.product(writer.one_minus(update), fresh), writer.product(update, before.hidden)), no_value};
        };
      },
      [](const Weights& weights) { return weights.input_bias; });
}

/// i, f = f(x W + H R + p C + b); c = g(x W + H R + b); C = f C + i c; o = f(x W + H R + p C + b); H = o h(C). The gates lie as i, o, f, c.
void adapt_lstm(const OnnxNode& node, OnnxBuilder& builder) {
  Writer writer(node, builder);
  const Cell cell = writer.read_cell(4, {"Sigmoid", "Tanh", "Tanh"});
  const bool is_coupled = node.integer("input_forget", 0) != 0;
  const std::int64_t size = cell.hidden;
  writer.run(
      cell,
      [&](std::int64_t direction, const Weights& weights) -> Writer::Step {
        std::vector<ValueId> peepholes(3, no_value);  // i, o, f
        if (builder.has(7)) {
          const ValueId all = writer.reshaped(writer.part(builder.input(7), 0, direction, direction + 1), {3 * size});
          for (std::int64_t i = 0; i < 3; ++i) peepholes[static_cast<std::size_t>(i)] = writer.part(all, 0, i * size, (i + 1) * size);
        }
        const Activation* activation = &cell.activations[static_cast<std::size_t>(3 * direction)];
        return [=, &cell, &writer](ValueId gates, const State& before) -> State {
          const ValueId all = writer.sum(writer.dense(before.hidden, weights.hidden, no_value), gates);
          const auto gate = [&](std::int64_t i, ValueId peephole, ValueId seen, const Activation& function) {
            ValueId sum = writer.part(all, 1, i * size, (i + 1) * size);
            if (peephole != no_value) sum = writer.sum(sum, writer.product(seen, peephole));
            return writer.activated(sum, function, cell.clip);
          };
          const ValueId input = gate(0, peepholes[0], before.cell, activation[0]);
          const ValueId forget = is_coupled ? writer.one_minus(input) : gate(2, peepholes[2], before.cell, activation[0]);
          const ValueId fresh = gate(3, no_value, no_value, activation[1]);
          const ValueId kept = writer.sum(writer.product(forget, before.cell), writer.product(input, fresh));
          const ValueId output = gate(1, peepholes[1], kept, activation[0]);
          return {writer.product(output, writer.activated(kept, activation[2], 0)), kept};
        };
      },
      [&](const Weights& weights) { return both_biases(writer, weights); });
}

}  // namespace calotype::layers

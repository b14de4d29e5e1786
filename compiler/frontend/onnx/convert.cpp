/// \file
/// The walk over the nodes. What an operator means is in the tables of layers (layers/onnx.h); here is what is the same for all.
#include "frontend/onnx/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "frontend/onnx/declared_shapes.h"
#include "frontend/onnx/subgraphs.h"
#include "frontend/onnx/suppose.h"
#include "frontend/onnx/suppose_inputs.h"
#include "layers/layer.h"
#include "layers/suppositions.h"
#include "passes/passes.h"

namespace calotype::frontend::onnx {
namespace {

using layers::OnnxBuilder;
using layers::OnnxMatch;

/// Loops are written out up to that many layers.
constexpr std::size_t op_limit = 200'000;

/// Thrown by a node whose body has failed: what there is to say is said of the nodes inside.
struct BodyFailed {};

/// What a message calls the node.
std::string title_of(const OnnxNode& node) { return node.name.empty() && !node.outputs.empty() ? node.outputs.front() : node.name; }

/// Every operator that no layer lists, with its number of nodes and the first of them.
std::vector<Diagnostic> unsupported_operators(const std::vector<OnnxNode>& nodes) {
  struct Found {
    const OnnxNode* first;
    std::size_t count;
  };
  std::map<std::string, Found> missing;
  for (const OnnxNode& node : nodes) {
    const bool is_known = node.domain.empty() && layers::find_onnx_form(node.op_type, node.opset).form != nullptr;
    if (is_known) continue;
    const auto [at, is_new] =
        missing.try_emplace(fmt::format("{}::{}", node.domain.empty() ? "ai.onnx" : node.domain, node.op_type), Found{&node, 0});
    ++at->second.count;
  }
  std::vector<Diagnostic> diagnostics;
  for (const auto& [operation, found] : missing) {
    const OnnxNode& node = *found.first;
    Diagnostic diagnostic;
    diagnostic.fault = Fault::unsupported;
    const std::string where = found.count == 1 ? fmt::format("node '{}'", title_of(node))
                                               : fmt::format("{} nodes, the first is '{}'", found.count, title_of(node));
    diagnostic.message = fmt::format("operator {} is not supported ({})", operation, where);
    if (node.domain.empty() && layers::is_onnx_operator(node.op_type)) {
      diagnostic.message = fmt::format("operator {} is not supported at opset {} ({})", operation, node.opset, where);
    }
    diagnostics.push_back(std::move(diagnostic));
  }
  return diagnostics;
}

class Walk {
 public:
  Walk(Graph& graph, const Model& model, const Evaluate& evaluate) : graph_(graph), model_(model), evaluate_(evaluate) {}

  /// The input's numbers are these, or run refuses it. Before `run`.
  void suppose_input(const std::string& name, const TensorData& numbers) { supposed_.emplace(name, numbers); }

  /// After a `run` that has failed: inputs of the network that hold numbers which were wanted at compile time.
  const std::set<std::string>& unknown_inputs() const { return unknown_inputs_; }

  void run() {
    for (const GraphInput& input : graph_.inputs) {
      Value& value = graph_.value(input.value);
      value.type.element = input.declaration.element;
      for (const Dimension& dimension : input.declaration.dimensions) value.type.extents.push_back(std::get<std::int64_t>(dimension));
      value.type.bytes();  // throws if it exceeds 64 bits
      value.typed = true;
      values_[value.name] = input.value;
      // The numbers of a tensor without any are known.
      if (value.type.elements() == 0) add_empty(value);
    }
    declared_ = declared_shapes(model_, graph_);
    for (const auto& [name, numbers] : supposed_) add_supposed(name, numbers);
    for (const OnnxNode& node : model_.nodes) convert(node);
    for (GraphResult& result : graph_.results) result.value = find_result(result.name);
    if (!diagnostics_.empty()) throw Failure(std::move(diagnostics_));
  }

 private:
  void add_empty(Value value) {
    const std::string name = value.name;
    value.origin = Value::Origin::constant;
    value.data = own(value.type, std::vector<std::byte>());
    values_[name] = add_value(graph_, std::move(value));
  }

  void add_supposed(const std::string& name, const TensorData& numbers) {
    static constexpr layers::OnnxForm none = {};
    const OnnxNode node;
    OnnxBuilder builder = {graph_, node, nullptr, none, {}, surroundings_of(node)};
    std::vector<std::int64_t> list;
    for (std::int64_t i = 0; i < numbers.type.elements(); ++i) list.push_back(static_cast<std::int64_t>(load_as_double(numbers, i)));
    layers::require(builder, layers::equals(builder, values_.at(name), list), fmt::format("{}: {}", name, to_text(list)));
    values_[name] = builder.constant(numbers, name);
  }

  /// The value of that name, an initializer made one at its first use; no_value if nothing has made it.
  ValueId find(const std::string& name) {
    const auto known = values_.find(name);
    if (known != values_.end()) return known->second;
    const auto inner = body_tensors_.find(name);
    const auto tensor = inner != body_tensors_.end() ? inner : model_.tensors.find(name);
    if (tensor == model_.tensors.end()) return no_value;
    Value value;
    value.name = name;
    value.origin = Value::Origin::weight;
    value.type = tensor->second.type();
    value.typed = true;
    value.data = tensor->second;
    return values_[name] = add_value(graph_, std::move(value));
  }

  ValueId find_result(const std::string& name) {
    const ValueId value = find(name);
    if (value == no_value && !failed_.contains(name)) {
      diagnostics_.push_back({Fault::input, {}, fmt::format("output {} is made by no node", name)});
    }
    return value;
  }

  void convert(const OnnxNode& node) {
    std::vector<ValueId> inputs;
    bool is_complete = true;
    for (const std::string& name : node.inputs) {
      const ValueId value = name.empty() ? no_value : find(name);
      if (value == no_value && !name.empty()) {
        is_complete = false;
        if (!failed_.contains(name)) report(node, Failure(Fault::input, fmt::format("it reads {}, which no node before it makes", name)));
      }
      inputs.push_back(value);
    }
    if (is_complete) {
      try {
        return convert(node, std::move(inputs));
      } catch (const Failure& failure) {
        report(node, failure);
      } catch (const BodyFailed&) {
        // Reported.
      }
    }
    failed_.insert(node.outputs.begin(), node.outputs.end());
  }

  /// The nodes of a body among the others. Values of one that is known to fail are no_value.
  std::vector<ValueId> inline_body(const OnnxNode& node, const layers::OnnxSubgraph& written, const std::vector<ValueId>& inputs,
                                   const std::string& name) {
    const std::string base = node.outputs.empty() ? node.name : node.outputs.front();
    const layers::OnnxSubgraph body = with_prefix(written, fmt::format("{}/{}/", base, name), base + "/");
    if (inputs.size() != body.inputs.size())
      throw Failure(Fault::input, fmt::format("its body takes {} inputs, not {}", body.inputs.size(), inputs.size()));
    if (std::vector<Diagnostic> missing = unsupported_operators(body.nodes); !missing.empty()) throw Failure(std::move(missing));
    for (const auto& [tensor, numbers] : body.tensors) body_tensors_.emplace(tensor, numbers);
    for (std::size_t i = 0; i < inputs.size(); ++i) values_.emplace(body.inputs[i], inputs[i]);
    const std::size_t before = diagnostics_.size();
    for (const OnnxNode& inner : body.nodes) {
      convert(inner);
      if (diagnostics_.size() > before || graph_.ops.size() > op_limit) break;
    }
    if (graph_.ops.size() > op_limit) throw Failure(Fault::unsupported, fmt::format("written out it has more than {} layers", op_limit));
    if (diagnostics_.size() > before) throw BodyFailed{};
    std::vector<ValueId> outputs;
    for (const std::string& output : body.outputs) outputs.push_back(find(output));
    return outputs;
  }

  OnnxBuilder::Surroundings surroundings_of(const OnnxNode& node) {
    return {[this](Op op) { return emit(std::move(op)); }, [this](ValueId value) { return explain(value); },
            [this](const std::string& name) { return declared(name); },
            [this, &node](const auto& body, const auto& from, const auto& name) { return inline_body(node, body, from, name); }};
  }

  OnnxBuilder builder_for(const OnnxNode& node, std::vector<ValueId> inputs) {
    const OnnxMatch match = layers::find_onnx_form(node.op_type, node.opset);
    return {graph_, node, match.layer, *match.form, std::move(inputs), surroundings_of(node)};
  }

  /// What the node's outputs are.
  std::vector<ValueId> build(const OnnxNode& node, std::vector<ValueId> inputs) {
    const OnnxMatch match = layers::find_onnx_form(node.op_type, node.opset);
    OnnxBuilder builder = builder_for(node, std::move(inputs));
    if (match.form->adapt != nullptr) {
      match.form->adapt(node, builder);
    } else {
      const int listed = match.layer->results;
      const std::vector<ValueId> results =
          builder.emit_all(builder.statement(), listed > 0 ? listed : static_cast<int>(node.outputs.size()));
      for (std::size_t i = 0; i < results.size(); ++i) builder.bind(i, results[i]);
    }
    return builder.outputs();
  }

  void convert(const OnnxNode& node, std::vector<ValueId> inputs) {
    std::vector<ValueId> outputs;
    try {
      outputs = build(node, inputs);
    } catch (const layers::UnknownNumbers&) {
      OnnxBuilder builder = builder_for(node, inputs);
      outputs = suppose(node, inputs, builder, [this](const OnnxNode& n, std::vector<ValueId> i) { return build(n, std::move(i)); });
      if (outputs.empty()) {
        note_unknown(inputs);
        throw;
      }
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const std::string& name = node.outputs[i];
      if (name.empty()) continue;
      const ValueId value = outputs[i];
      if (value == no_value) throw Failure(Fault::unsupported, fmt::format("its output {} ({}) is not supported", i, name));
      Value& bound = graph_.value(value);
      if (bound.name.empty()) bound.name = name;
      if (!values_.emplace(name, value).second) throw Failure(Fault::input, fmt::format("two nodes make {}", name));
    }
  }

  /// Types the op, and folds it where all of its operands are known.
  std::vector<ValueId> emit(Op op) {
    const layers::Layer& layer = *layers::find_layer(op.kind);
    const OpId id = static_cast<OpId>(graph_.ops.size());
    for (ValueId& result : op.results) {
      Value value;
      value.producer = id;
      result = add_value(graph_, std::move(value));
    }
    const std::vector<ValueId> results = op.results;
    check(layer, op);
    graph_.ops.push_back(std::move(op));
    try {
      passes::infer_op(graph_, id);
      if (is_known(graph_.op(id))) fold(id);
    } catch (const Failure&) {
      graph_.ops.resize(static_cast<std::size_t>(id));
      throw;
    }
    return results;
  }

  /// An argument that the layer does not take is something that ONNX has and Calotype has not.
  static void check(const layers::Layer& layer, const Op& op) {
    std::vector<Diagnostic> diagnostics = layers::check_arguments(layer, op);
    if (diagnostics.empty()) return;
    for (Diagnostic& diagnostic : diagnostics) diagnostic.fault = Fault::unsupported;
    throw Failure(std::move(diagnostics));
  }

  bool is_known(const Op& op) const {
    return !op.operands.empty() && std::all_of(op.operands.begin(), op.operands.end(),
                                               [&](ValueId id) { return id == no_value || graph_.value(id).data.has_value(); });
  }

  /// The same bytes under another shape, or what the layer computes.
  std::optional<std::vector<Numbers>> numbers_of(OpId id) const {
    const Op& op = graph_.op(id);
    if (layers::find_layer(op.kind)->traits.is_identity && op.results.size() == 1) {
      const auto renamed = [from = *graph_.value(op.operands.front()).data, type = graph_.value(op.results.front()).type] {
        TensorData data = from.read();
        data.type = type;
        return data;
      };
      return std::vector<Numbers>{{graph_.value(op.results.front()).type, renamed}};
    }
    std::optional<std::vector<TensorData>> computed = evaluate_(graph_, id);
    if (!computed) return std::nullopt;
    return std::vector<Numbers>(std::make_move_iterator(computed->begin()), std::make_move_iterator(computed->end()));
  }

  void fold(OpId id) {
    std::optional<std::vector<Numbers>> numbers = numbers_of(id);
    if (!numbers) return;
    const Op op = std::move(graph_.ops.back());
    graph_.ops.pop_back();
    // A weight that is only laid out anew, or cast, is still that weight.
    std::string name;
    int named = 0;
    for (const ValueId operand : op.operands) {
      if (operand == no_value || graph_.value(operand).origin != Value::Origin::weight) continue;
      name = graph_.value(operand).name;
      ++named;
    }
    for (std::size_t i = 0; i < op.results.size(); ++i) {
      Value& value = graph_.value(op.results[i]);
      const bool is_weight = named == 1 && op.results.size() == 1 && is_float(value.type.element);
      value.producer = no_op;
      value.origin = is_weight ? Value::Origin::weight : Value::Origin::constant;
      if (is_weight) value.name = name;
      value.data = std::move((*numbers)[i]);
    }
  }

  /// Which inputs of the network the value depends on.
  std::set<std::string> inputs_behind(ValueId value) const {
    std::set<std::string> names;
    std::set<ValueId> seen;
    std::vector<ValueId> open = {value};
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == no_value || !seen.insert(id).second) continue;
      const Value& at = graph_.value(id);
      if (at.origin == Value::Origin::input) names.insert(at.name);
      if (at.producer != no_op) open.insert(open.end(), graph_.op(at.producer).operands.begin(), graph_.op(at.producer).operands.end());
    }
    return names;
  }

  /// Lists of integers are what a node wants to know.
  void note_unknown(const std::vector<ValueId>& inputs) {
    for (const ValueId id : inputs) {
      if (id == no_value || graph_.value(id).data || is_float(graph_.value(id).type.element) || graph_.value(id).type.rank() > 1) continue;
      unknown_inputs_.merge(inputs_behind(id));
    }
  }

  std::string explain(ValueId value) const {
    const std::set<std::string> names = inputs_behind(value);
    if (names.empty()) return "it is too large to be computed at compile time";
    if (names.size() > 1) return fmt::format("it depends on the inputs {}", fmt::join(names, ", "));
    const std::string& name = *names.begin();
    return fmt::format("it depends on the input {0}; give that one with --bind {0}=FILE.npy", name);
  }

  void report(const OnnxNode& node, const Failure& failure) {
    for (Diagnostic diagnostic : failure.diagnostics()) {
      diagnostic.message = fmt::format("{}: {}", node.op_type, diagnostic.message);
      diagnostic.layer = title_of(node);
      diagnostic.where = {};
      diagnostics_.push_back(std::move(diagnostic));
    }
  }

  Graph& graph_;
  const Model& model_;
  const Evaluate& evaluate_;
  std::unordered_map<std::string, ValueId> values_;
  std::map<std::string, Numbers, std::less<>> body_tensors_;  ///< initializers of bodies
  const std::vector<std::int64_t>* declared(const std::string& name) const {
    const auto found = declared_.find(name);
    return found == declared_.end() ? nullptr : &found->second;
  }

  DeclaredShapes declared_;
  std::map<std::string, TensorData> supposed_;
  std::set<std::string> unknown_inputs_;
  std::set<std::string> failed_;  ///< outputs of nodes that could not be converted
  std::vector<Diagnostic> diagnostics_;
};

/// A result is a value that an op makes, or the caller's own buffers would meet.
void copy_plain_results(Graph& graph) {
  std::set<ValueId> seen;
  for (GraphResult& result : graph.results) {
    const Value& value = graph.value(result.value);
    if (value.producer != no_op && seen.insert(result.value).second) continue;
    const OpId id = static_cast<OpId>(graph.ops.size());
    Value copy;
    copy.name = result.name;
    copy.type = value.type;
    copy.typed = true;
    copy.producer = id;
    const ValueId to = add_value(graph, std::move(copy));
    Op op;
    op.kind = "identity";
    op.operands = {result.value};
    op.results = {to};
    graph.ops.push_back(std::move(op));
    result.value = to;
  }
}

}  // namespace

Graph interface_of(Model model) {
  Graph graph;
  graph.name = model.name.empty() ? "network" : model.name;
  for (const Input& input : model.inputs) {
    Value value;
    value.name = input.name;
    value.origin = Value::Origin::input;
    graph.inputs.push_back({add_value(graph, std::move(value)), input.declaration});
  }
  for (const std::string& output : model.outputs) {
    GraphResult result;
    result.name = output;
    graph.results.push_back(std::move(result));
  }
  graph.unconverted = std::make_shared<const Model>(std::move(model));
  return graph;
}

void convert(Graph& graph, const Evaluate& evaluate) {
  const std::shared_ptr<const Model> model = std::exchange(graph.unconverted, nullptr);
  if (std::vector<Diagnostic> diagnostics = unsupported_operators(model->nodes); !diagnostics.empty())
    throw Failure(std::move(diagnostics));
  const Graph interface = graph;
  Walk walk(graph, *model, evaluate);
  try {
    walk.run();
  } catch (const Failure&) {
    const auto convert_with = [&](const std::string& input, const TensorData& numbers) {
      Graph converted = interface;
      Walk again(converted, *model, evaluate);
      again.suppose_input(input, numbers);
      again.run();
      return converted;
    };
    std::optional<Graph> supposed = with_supposed_input(*model, interface, walk.unknown_inputs(), convert_with);
    if (!supposed) throw;
    graph = std::move(*supposed);
  }
  passes::remove_dead(graph);
  copy_plain_results(graph);
  name_layers(graph);
}

}  // namespace calotype::frontend::onnx

/// \file
/// Names. Files name values after paths of an exporter ("/layer1/layer1.0/conv1/Conv_output_0"), weights after the framework's parameters
/// ("layer1.0.conv1.weight"): the latter give their layer its name, and then stand for themselves.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <utility>

#include "frontend/onnx/convert.h"
#include "frontend/text/lexer.h"
#include "frontend/text/reserved_words.h"
#include "layers/layer.h"
#include "passes/graph_edit.h"

namespace calotype::frontend::onnx {
namespace {

/// Constants with at most that many numbers are written in the text.
constexpr std::int64_t inline_limit = 16;

/// Drops the values that nothing uses, and renumbers the others in order of use.
void compact(Graph& graph) {
  std::vector<ValueId> to(graph.values.size(), no_value);
  std::vector<Value> kept;
  const auto keep = [&](ValueId& id) {
    if (id == no_value) return;
    ValueId& place = to[static_cast<std::size_t>(id)];
    if (place == no_value) {
      place = static_cast<ValueId>(kept.size());
      kept.push_back(std::move(graph.value(id)));
    }
    id = place;
  };
  for (GraphInput& input : graph.inputs) keep(input.value);
  for (Op& op : graph.ops) {
    std::for_each(op.operands.begin(), op.operands.end(), keep);
    std::for_each(op.results.begin(), op.results.end(), keep);
  }
  for (GraphResult& result : graph.results) keep(result.value);
  graph.values = std::move(kept);
}

bool is_known(const Value& value) { return value.data.has_value(); }

bool ends_with_number(std::string_view text) { return !text.empty() && std::isdigit(static_cast<unsigned char>(text.back())) != 0; }

/// Letters, digits, underscores and dots; "/layer1/layer1.0/conv1/Conv_output_0" is "layer1.0.conv1". Empty where nothing is left that would be a name.
std::string readable(std::string name) {
  const std::size_t suffix = name.rfind("_output_");
  if (suffix != std::string::npos && suffix > 0 && ends_with_number(name)) name.resize(suffix);
  // Exporters write a path of modules, each named inside of the one before it, and then the operator: /layer1/layer1.0/conv1/Conv.
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t slash = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, slash - begin);
    begin = slash + 1;
    if (part.empty()) continue;
    if (!parts.empty() && part.starts_with(parts.back() + ".")) parts.pop_back();
    parts.push_back(part);
  }
  if (name.starts_with('/') && parts.size() > 1) parts.pop_back();
  const std::string path = fmt::format("{}", fmt::join(parts, "."));
  std::string clean;
  for (const char c : path) {
    const bool is_word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    const char next = is_word ? c : '_';
    if (next == '.' && (clean.empty() || clean.back() == '.')) continue;
    clean += next;
  }
  while (!clean.empty() && clean.back() == '.') clean.pop_back();
  if (std::all_of(clean.begin(), clean.end(), [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_'; }))
    clean.clear();
  if (!clean.empty() && std::isdigit(static_cast<unsigned char>(clean.front())) != 0) clean = "_" + clean;
  return clean;
}

class Names {
 public:
  void reserve(const std::string& name) { taken_.insert(name); }

  /// `name`, or with a number after it; bare in the text where it can be.
  std::string take(const std::string& name, const std::string& otherwise) {
    std::string base = name.empty() ? otherwise : name;
    if (!text::why_reserved(base).empty()) base += "_";
    std::string unique = base;
    for (int& i = counts_[base]; !taken_.insert(unique).second;) unique = fmt::format("{}_{}", base, ++i);
    return unique;
  }

 private:
  std::set<std::string> taken_;
  std::map<std::string, int> counts_;
};

class Naming {
 public:
  explicit Naming(Graph& graph) : graph_(graph), uses_(graph.values.size(), 0) {
    for (const Op& op : graph.ops) {
      for (const ValueId id : op.operands) {
        if (id != no_value) ++uses_[static_cast<std::size_t>(id)];
      }
    }
  }

  void run() {
    for (const GraphInput& input : graph_.inputs) names_.reserve(graph_.value(input.value).name);
    std::vector<std::string> wanted;
    std::set<std::string> claimed;
    for (const Op& op : graph_.ops) {
      std::string name = owner_of_weights(op);
      if (!name.empty() && !claimed.insert(name).second) name.clear();
      if (!name.empty()) names_.reserve(name);
      wanted.push_back(std::move(name));
    }
    for (std::size_t i = 0; i < graph_.ops.size(); ++i) name_op(graph_.ops[i], wanted[i]);
    add_sources();
  }

 private:
  const layers::Layer& layer_of(const Op& op) const { return *layers::find_layer(op.kind); }

  bool is_weight_position(const layers::Layer& layer, std::size_t position) const {
    const auto operands = layers::operands_of(layer);
    return position < operands.size() && operands[position].kind == layers::Operand::Kind::weight;
  }

  /// Would the layer imply its weights as they are, if the text left them out?
  bool implies_weights(const Op& op) const {
    const layers::Layer& layer = layer_of(op);
    if (layer.weights == nullptr) return false;
    Op without = op;
    for (std::size_t i = 0; i < without.operands.size(); ++i) {
      if (is_weight_position(layer, i)) without.operands[i] = no_value;
    }
    while (!without.operands.empty() && without.operands.back() == no_value) without.operands.pop_back();
    try {
      std::size_t implied = 0;
      for (const layers::WeightSpecification& weight : layer.weights(layers::Call(layer, graph_, without))) {
        const auto operands = layers::operands_of(layer);
        for (std::size_t i = 0; i < op.operands.size(); ++i) {
          if (operands[i].name != weight.name || op.operands[i] == no_value) continue;
          if (graph_.value(op.operands[i]).type != weight.type) return false;
          ++implied;
        }
      }
      const auto present = [&](std::size_t i) { return is_weight_position(layer, i) && op.operands[i] != no_value; };
      std::size_t written = 0;
      for (std::size_t i = 0; i < op.operands.size(); ++i) written += present(i) ? 1 : 0;
      return implied == written;
    } catch (const Failure&) {
      return false;  // it needs them to be written: a kernel that no argument gives
    }
  }

  /// Are all of the op's weights its own? Then none needs to be an operand in the text.
  bool owns_weights(const Op& op) const {
    const layers::Layer& layer = layer_of(op);
    if (!implies_weights(op)) return false;
    bool any = false;
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      const ValueId id = op.operands[i];
      if (id == no_value || !is_weight_position(layer, i)) continue;
      if (graph_.value(id).implicit) return true;
      if (!is_known(graph_.value(id)) || uses_[static_cast<std::size_t>(id)] > 1) return false;
      any = true;
    }
    return any;
  }

  /// "conv1" of an op whose weight is "conv1.weight".
  std::string owner_of_weights(const Op& op) const {
    if (!owns_weights(op)) return {};
    const layers::Layer& layer = layer_of(op);
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      if (op.operands[i] == no_value || !is_weight_position(layer, i)) continue;
      const std::string suffix = fmt::format(".{}", layers::operands_of(layer)[i].name);
      const std::string& name = graph_.value(op.operands[i]).name;
      if (!name.ends_with(suffix)) return {};  // a bias may be another layer's, where exporters share equal ones
      const std::string owner = name.substr(0, name.size() - suffix.size());
      if (text::is_bare_name(owner) && text::why_reserved(owner).empty()) return owner;
    }
    return {};
  }

  const GraphResult* result_of(ValueId value) const {
    const auto found = std::find_if(graph_.results.begin(), graph_.results.end(), [&](const GraphResult& r) { return r.value == value; });
    return found == graph_.results.end() ? nullptr : &*found;
  }

  void name_op(Op& op, const std::string& owner) {
    const layers::Layer& layer = layer_of(op);
    for (std::size_t i = 0; i < op.results.size(); ++i) {
      Value& value = graph_.value(op.results[i]);
      const GraphResult* result = result_of(op.results[i]);
      const std::string first = i == 0 ? op.kind : fmt::format("{}_{}", op.name, i);
      if (i == 0 && !owner.empty()) {
        value.name = owner;
      } else if (result != nullptr) {
        value.name = names_.take(result->name, first);
      } else {
        value.name = names_.take(readable(value.name), first);
      }
      if (i == 0) op.name = value.name;
    }
    if (!owns_weights(op)) return;
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      if (op.operands[i] == no_value || !is_weight_position(layer, i)) continue;
      Value& weight = graph_.value(op.operands[i]);
      weight.name = fmt::format("{}.{}", op.name, layers::operands_of(layer)[i].name);
      weight.origin = Value::Origin::weight;
      weight.implicit = true;
      names_.reserve(weight.name);
    }
  }

  /// Tensors that are operands like any other get a statement before their first use.
  void add_sources() {
    std::vector<Op> ops;
    std::set<ValueId> done;
    for (Op& op : graph_.ops) {
      for (std::size_t i = 0; i < op.operands.size(); ++i) {
        const ValueId id = op.operands[i];
        if (id == no_value || !is_known(graph_.value(id)) || graph_.value(id).implicit || !done.insert(id).second) continue;
        Value& value = graph_.value(id);
        const auto operands = layers::operands_of(layer_of(op));
        const std::string_view role = i < operands.size() ? operands[i].name : std::string_view("operand");
        value.name = names_.take(readable(value.name), fmt::format("{}.{}", op.name, role));
        ops.push_back(source_of(value, id));
      }
      ops.push_back(std::move(op));
    }
    passes::replace_ops(graph_, std::move(ops));
  }

  static Op source_of(Value& value, ValueId id) {
    Op op;
    op.name = value.name;
    op.results = {id};
    const std::int64_t elements = value.type.elements();
    const bool is_learned = value.origin == Value::Origin::weight && is_float(value.type.element) && elements > 1;
    std::optional<Attribute> numbers;
    if (!is_learned && elements > 0 && elements <= inline_limit) numbers = list_of(value.data->read());
    const Attribute type = {Word{std::string(name_of(value.type.element))}};
    if (numbers) {
      op.kind = "constant";
      value.origin = Value::Origin::constant;
      op.attributes.push_back({"value", std::move(*numbers)});
      if (value.type.element != ElementType::f32) op.attributes.push_back({"type", type});
    } else {
      op.kind = "parameter";
      value.origin = Value::Origin::weight;
      op.attributes.push_back({"type", type});
      op.attributes.push_back(layers::named("shape", value.type.extents));
    }
    return op;
  }

  /// The numbers as nested lists; nothing where one would not come back as it is.
  static std::optional<Attribute> list_of(const TensorData& data) {
    Attribute::List flat;
    for (std::int64_t i = 0; i < data.type.elements(); ++i) {
      std::optional<Attribute> number = number_of(data, i);
      if (!number) return std::nullopt;
      flat.push_back(std::move(*number));
    }
    for (std::size_t d = data.type.extents.size(); d-- > 0;) {
      const auto extent = static_cast<std::size_t>(data.type.extents[d]);
      Attribute::List outer;
      for (std::size_t i = 0; i < flat.size(); i += extent) {
        const auto first = flat.begin() + static_cast<std::ptrdiff_t>(i);
        outer.push_back({Attribute::List(first, first + static_cast<std::ptrdiff_t>(extent))});
      }
      flat = std::move(outer);
    }
    return flat.front();
  }

  static std::optional<Attribute> number_of(const TensorData& data, std::int64_t i) {
    const ElementType element = data.type.element;
    if (element == ElementType::boolean) return Attribute{load<std::uint8_t>(data, i) != 0};
    if (is_float(element)) {
      const double number = load_as_double(data, i);
      if (std::isnan(number)) return std::nullopt;  // its bits would be lost
      return Attribute{element == ElementType::f32 ? shortest(static_cast<float>(number)) : number};
    }
    if (element == ElementType::i64) return Attribute{load<std::int64_t>(data, i)};
    if (element == ElementType::u64 && load<std::uint64_t>(data, i) > (std::uint64_t{1} << 53U)) return std::nullopt;
    return Attribute{static_cast<std::int64_t>(load_as_double(data, i))};
  }

  Graph& graph_;
  std::vector<int> uses_;
  Names names_;
};

}  // namespace

void name_layers(Graph& graph) {
  compact(graph);
  Naming(graph).run();
}

}  // namespace calotype::frontend::onnx

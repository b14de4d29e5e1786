/// \file
/// ModelProto to plain data. The only file, with tensor.cpp and large_tensors.cpp, that knows protobuf.
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <filesystem>
#include <limits>
#include <set>

#include "formats/mapped_file.h"
#include "frontend/onnx/functions.h"
#include "frontend/onnx/large_tensors.h"
#include "frontend/onnx/model.h"
#include "frontend/onnx/tensor.h"
#include "layers/onnx_subgraph.h"
#include "onnx-ml.pb.h"

namespace calotype::frontend::onnx {
namespace {

using Proto = ::onnx::ModelProto;

std::string domain_name(const std::string& domain) { return domain == "ai.onnx" ? std::string() : domain; }

class Reader {
 public:
  /// `raw` has the raw data that was cut out of the proto's initializers, in order, if any was.
  Reader(const std::string& path, std::shared_ptr<const Proto> proto, std::vector<std::optional<formats::MappedFile>> raw = {})
      : proto_(std::move(proto)), raw_(std::move(raw)), files_(std::filesystem::path(path).parent_path().string()) {
    model_.path = path;
    raw_.resize(static_cast<std::size_t>(proto_->graph().initializer_size()));
  }

  Model read() {
    const ::onnx::GraphProto& graph = proto_->graph();
    const std::map<std::string, int> opsets = versions(proto_->opset_import());
    check_opset(opsets);
    model_.name = graph.name();
    read_tensors(graph);
    read_interface(graph);
    std::vector<OnnxNode> nodes;
    for (const ::onnx::NodeProto& node : graph.node()) nodes.push_back(read_node(node, opsets, nullptr, 0));
    model_.nodes = expand_functions(nodes, read_functions());
    return std::move(model_);
  }

 private:
  template <typename Imports>
  static std::map<std::string, int> versions(const Imports& imports) {
    std::map<std::string, int> map;
    for (const auto& import : imports) {
      map[domain_name(import.domain())] = static_cast<int>(std::clamp<std::int64_t>(import.version(), 0, std::numeric_limits<int>::max()));
    }
    return map;
  }

  void check_opset(const std::map<std::string, int>& opsets) {
    const auto own = opsets.find("");
    const int version = own == opsets.end() ? 1 : own->second;
    if (version >= layers::oldest_onnx_opset && version <= layers::newest_onnx_opset) return;
    throw Failure(Fault::unsupported,
                  fmt::format("{}: opset {} is not read; opsets {} to {} are", model_.path, version, layers::oldest_onnx_opset,
                              layers::newest_onnx_opset),
                  {}, {"onnx.version_converter converts models between opsets"});
  }

  void read_tensors(const ::onnx::GraphProto& graph) {
    for (std::size_t i = 0; i < raw_.size(); ++i) {
      const ::onnx::TensorProto& tensor = graph.initializer(static_cast<int>(i));
      if (!model_.tensors.emplace(tensor.name(), read_tensor(tensor, proto_, files_, raw_[i])).second) {
        throw Failure(Fault::input, fmt::format("two initializers are named {}", tensor.name()));
      }
    }
    if (graph.sparse_initializer_size() > 0) throw Failure(Fault::unsupported, "sparse initializers are not supported");
  }

  void read_interface(const ::onnx::GraphProto& graph) {
    std::set<std::string> names;
    for (const ::onnx::ValueInfoProto& input : graph.input()) {
      if (!names.insert(input.name()).second) throw Failure(Fault::input, fmt::format("two inputs are named {}", input.name()));
      // Up to IR version 3 every initializer is an input, too: a default that nobody here can override.
      if (!model_.tensors.contains(input.name())) model_.inputs.push_back({input.name(), declaration_of(input)});
    }
    for (const ::onnx::ValueInfoProto& output : graph.output()) {
      model_.outputs.push_back(output.name());
      note_shape(output);
    }
    for (const ::onnx::ValueInfoProto& value : graph.value_info()) note_shape(value);
    if (model_.outputs.empty()) throw Failure(Fault::input, fmt::format("{}: the graph has no output", model_.path));
  }

  static ExpressionPointer symbol_of(const std::string& name) {
    Expression symbol;
    symbol.kind = Expression::Kind::symbol;
    symbol.symbol = name;
    return std::make_shared<const Expression>(std::move(symbol));
  }

  /// What the file says of a value's shape, where it leaves nothing open.
  void note_shape(const ::onnx::ValueInfoProto& value) {
    if (!value.type().has_tensor_type() || !value.type().tensor_type().has_shape()) return;
    std::vector<Dimension> shape;
    for (const auto& dimension : value.type().tensor_type().shape().dim()) {
      if (dimension.has_dim_value() && dimension.dim_value() >= 0) {
        shape.emplace_back(dimension.dim_value());
      } else if (!dimension.dim_param().empty()) {
        shape.emplace_back(symbol_of(dimension.dim_param()));
      } else {
        return;
      }
    }
    model_.shapes.emplace(value.name(), std::move(shape));
  }

  static Declaration declaration_of(const ::onnx::ValueInfoProto& value) {
    if (!value.type().has_tensor_type())
      throw Failure(Fault::unsupported, fmt::format("input {} is no tensor (a sequence, an optional or a map)", value.name()));
    const auto& tensor = value.type().tensor_type();
    Declaration declaration;
    declaration.stated = true;
    declaration.element = element_type(tensor.elem_type(), "input " + value.name());
    if (!tensor.has_shape()) throw Failure(Fault::unsupported, fmt::format("input {} has no shape, not even a rank", value.name()));
    int place = 0;
    for (const auto& dimension : tensor.shape().dim()) {
      if (dimension.has_dim_value()) {
        if (dimension.dim_value() < 0)
          throw Failure(Fault::input, fmt::format("input {} has the extent {}", value.name(), dimension.dim_value()));
        declaration.dimensions.emplace_back(dimension.dim_value());
      } else {
        declaration.dimensions.emplace_back(
            symbol_of(dimension.dim_param().empty() ? fmt::format("{}_{}", value.name(), place) : dimension.dim_param()));
      }
      ++place;
    }
    return declaration;
  }

  /// `function` collects references to the attributes of a call.
  OnnxNode read_node(const ::onnx::NodeProto& proto, const std::map<std::string, int>& opsets, Function* function, std::size_t place) {
    OnnxNode node;
    node.name = proto.name();
    node.op_type = proto.op_type();
    node.domain = domain_name(proto.domain());
    node.overload = proto.overload();
    const auto version = opsets.find(node.domain);
    node.opset = version == opsets.end() ? 1 : version->second;
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    for (const ::onnx::AttributeProto& attribute : proto.attribute()) {
      if (!attribute.ref_attr_name().empty()) {
        if (depth_ > 0)
          throw Failure(Fault::unsupported,
                        fmt::format("{}: attribute {} within a subgraph refers to one of a function", proto.name(), attribute.name()));
        if (function != nullptr) function->references.push_back({place, attribute.name(), attribute.ref_attr_name()});
        continue;
      }
      node.attributes.push_back(read_attribute(attribute, opsets));
    }
    return node;
  }

  /// The body of a control-flow node.
  std::shared_ptr<const layers::OnnxSubgraph> read_subgraph(const ::onnx::GraphProto& graph, const std::map<std::string, int>& opsets) {
    auto subgraph = std::make_shared<layers::OnnxSubgraph>();
    if (graph.sparse_initializer_size() > 0) throw Failure(Fault::unsupported, "sparse initializers are not supported");
    for (const ::onnx::TensorProto& tensor : graph.initializer()) {
      if (!subgraph->tensors.emplace(tensor.name(), read_tensor(tensor, proto_, files_)).second)
        throw Failure(Fault::input, fmt::format("two initializers are named {}", tensor.name()));
    }
    for (const ::onnx::ValueInfoProto& input : graph.input()) subgraph->inputs.push_back(input.name());
    for (const ::onnx::ValueInfoProto& output : graph.output()) subgraph->outputs.push_back(output.name());
    ++depth_;
    for (const ::onnx::NodeProto& node : graph.node()) subgraph->nodes.push_back(read_node(node, opsets, nullptr, 0));
    --depth_;
    return subgraph;
  }

  OnnxAttribute read_attribute(const ::onnx::AttributeProto& proto, const std::map<std::string, int>& opsets) {
    OnnxAttribute attribute{proto.name(), OnnxAttribute::Unreadable{"empty"}};
    switch (proto.type()) {
      case ::onnx::AttributeProto::INT: attribute.value = static_cast<std::int64_t>(proto.i()); break;
      case ::onnx::AttributeProto::FLOAT: attribute.value = shortest(proto.f()); break;
      case ::onnx::AttributeProto::STRING: attribute.value = proto.s(); break;
      case ::onnx::AttributeProto::INTS: attribute.value = std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end()); break;
      case ::onnx::AttributeProto::STRINGS:
        attribute.value = std::vector<std::string>(proto.strings().begin(), proto.strings().end());
        break;
      case ::onnx::AttributeProto::FLOATS: {
        std::vector<double> reals;
        for (const float real : proto.floats()) reals.push_back(shortest(real));
        attribute.value = std::move(reals);
        break;
      }
      case ::onnx::AttributeProto::TENSOR:
        if (proto.t().data_type() == ::onnx::TensorProto::STRING) {
          attribute.value = OnnxAttribute::Unreadable{"a tensor of strings"};
        } else {
          attribute.value = read_tensor(proto.t(), proto_, files_).read();
        }
        break;
      case ::onnx::AttributeProto::GRAPH: attribute.value = read_subgraph(proto.g(), opsets); break;
      case ::onnx::AttributeProto::GRAPHS: attribute.value = OnnxAttribute::Unreadable{"several subgraphs"}; break;
      case ::onnx::AttributeProto::SPARSE_TENSOR:
      case ::onnx::AttributeProto::SPARSE_TENSORS: attribute.value = OnnxAttribute::Unreadable{"a sparse tensor"}; break;
      default: attribute.value = OnnxAttribute::Unreadable{"of a kind that is not read"};
    }
    return attribute;
  }

  Functions read_functions() {
    Functions functions;
    for (const ::onnx::FunctionProto& proto : proto_->functions()) {
      Function function;
      function.inputs.assign(proto.input().begin(), proto.input().end());
      function.outputs.assign(proto.output().begin(), proto.output().end());
      const std::map<std::string, int> opsets = versions(proto.opset_import());
      for (const ::onnx::AttributeProto& attribute : proto.attribute_proto())
        function.defaults.push_back(read_attribute(attribute, opsets));
      for (const ::onnx::NodeProto& node : proto.node())
        function.nodes.push_back(read_node(node, opsets, &function, function.nodes.size()));
      functions.emplace(function_key(domain_name(proto.domain()), proto.name(), proto.overload()), std::move(function));
    }
    return functions;
  }

  std::shared_ptr<const Proto> proto_;
  std::vector<std::optional<formats::MappedFile>> raw_;
  ExternalData files_;
  int depth_ = 0;  ///< of subgraphs
  Model model_;
};

std::shared_ptr<const Proto> parse(std::span<const std::byte> file, const std::string& path) {
  constexpr std::size_t limit = std::numeric_limits<int>::max();
  if (file.size() > limit)
    throw Failure(Fault::input, fmt::format("{}: an ONNX file has at most 2 GiB; larger weights are external data", path));
  auto proto = std::make_shared<Proto>();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(file.data()), static_cast<int>(file.size()));
  stream.SetRecursionLimit(100);
  if (!proto->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage() || !proto->has_graph()) {
    throw Failure(Fault::input, fmt::format("{}: this is no ONNX model, or a damaged one", path));
  }
  return proto;
}

}  // namespace

Model parse_model(std::span<const std::byte> bytes, const std::string& path) { return Reader(path, parse(bytes, path)).read(); }

Model read_model(const std::string& path) {
  const formats::MappedFile file = formats::map_file(path);
  std::optional<CutModel> cut = cut_large_tensors(file.bytes);
  if (!cut) return parse_model(file.bytes, path);
  std::vector<std::optional<formats::MappedFile>> raw(cut->raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (cut->raw[i]) raw[i] = {*cut->raw[i], file.owner};
  }
  formats::release_pages(file.bytes);
  return Reader(path, parse(std::as_bytes(std::span(cut->bytes)), path), std::move(raw)).read();
}

}  // namespace calotype::frontend::onnx

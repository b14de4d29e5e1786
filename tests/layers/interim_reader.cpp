/// \file
/// Reads one statement until the text frontend can.
#include <cctype>
#include <charconv>
#include <stdexcept>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

struct Reader {
  std::string_view text;
  std::size_t at = 0;

  void skip() {
    while (at < text.size() && text[at] == ' ') ++at;
  }
  bool take(char c) {
    skip();
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!take(c)) throw Failure(Fault::input, std::string("expected '") + c + "' at " + std::string(text.substr(at)));
  }
  std::string word() {
    skip();
    const std::size_t begin = at;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) || std::string_view("_.+-").find(text[at]) != std::string_view::npos))
      ++at;
    return std::string(text.substr(begin, at - begin));
  }
  static Attribute scalar(const std::string& w) {
    Attribute a;
    std::int64_t i = 0;
    double d = 0;
    const char* end = w.data() + w.size();
    if (w == "true" || w == "false")
      a.value = w == "true";
    else if (auto r = std::from_chars(w.data(), end, i); r.ec == std::errc() && r.ptr == end)
      a.value = i;
    else if (auto q = std::from_chars(w.data(), end, d); q.ec == std::errc() && q.ptr == end)
      a.value = d;
    else if (std::isdigit(static_cast<unsigned char>(w[0])) && w.find('x') != std::string::npos) {
      Attribute::List list;
      for (std::size_t b = 0; b < w.size();) {
        const std::size_t e = std::min(w.find('x', b), w.size());
        list.push_back(scalar(w.substr(b, e - b)));
        b = e + 1;
      }
      a.value = list;
    } else
      a.value = Word{w};
    return a;
  }
  Attribute value() {
    if (!take('[')) return scalar(word());
    Attribute::List list;
    while (!take(']')) {
      list.push_back(value());
      take(',');
    }
    Attribute a;
    a.value = list;
    return a;
  }
};

}  // namespace

Graph read_statement(const std::string& statement, const std::vector<NamedTensor>& inputs, std::size_t results) {
  Graph graph;
  graph.name = "case";
  for (const NamedTensor& input : inputs) {
    Value value;
    value.name = input.name;
    value.origin = Value::Origin::input;
    Declaration declaration{input.data.type.element, {}, false, true};
    for (const std::int64_t e : input.data.type.extents) declaration.dimensions.emplace_back(e);
    graph.inputs.push_back({add_value(graph, value), declaration});
  }
  Reader reader{statement};
  Op op;
  op.name = "y";
  op.kind = reader.word();
  reader.expect('(');
  while (!reader.take(')')) {
    const std::string word = reader.word();
    if (reader.take('=')) {
      op.attributes.push_back({word, reader.value()});
    } else {
      ValueId id = no_value;
      for (std::size_t v = 0; v < inputs.size(); ++v)
        if (inputs[v].name == word) id = static_cast<ValueId>(v);
      op.operands.push_back(id);
    }
    reader.take(',');
  }
  for (std::size_t r = 0; r < results; ++r) {
    Value value;
    value.name = r == 0 ? "y" : "y" + std::to_string(r);
    value.producer = 0;
    op.results.push_back(add_value(graph, value));
    graph.results.push_back({value.name, op.results.back()});
  }
  const layers::Layer* layer = layers::find_layer(op.kind);
  if (layer == nullptr) throw Failure(Fault::input, "unknown layer " + op.kind);
  if (auto diagnostics = layers::check_arguments(*layer, op); !diagnostics.empty()) throw Failure(std::move(diagnostics));
  graph.ops.push_back(std::move(op));
  return graph;
}

}  // namespace calotype::testing

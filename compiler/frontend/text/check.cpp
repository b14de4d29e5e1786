/// \file
/// Names and calls of a description, body by body; a block before the blocks and the network that call it.
#include "frontend/text/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/text/check_body.h"
#include "frontend/text/reserved_words.h"

namespace calotype::frontend::text {
namespace {

class Checker {
 public:
  Checker(const File& file, const Source& source, Diagnostics& diagnostics) : source_(source), diagnostics_(diagnostics) {
    checked_.file = &file;
  }

  CheckedFile run() {
    const File& file = *checked_.file;
    if (file.network) collect_symbols(*file.network);
    for (const Block& block : file.blocks) declare(block);
    for (const Block& block : file.blocks) visit(block, 0);
    if (file.network) {
      network(*file.network);
    } else if (diagnostics_.empty()) {
      diagnostics_.add({0, 0}, "the file holds no network",
                       {"a description is: network NAME(INPUT: f32[N, 3, 224, 224]) -> RESULT { statements }"});
    }
    return std::move(checked_);
  }

 private:
  void collect_symbols(const Network& network) {
    for (const std::vector<Declared>* list : {&network.inputs, &network.results}) {
      for (const Declared& declared : *list) {
        if (!declared.type) continue;
        for (const Value& dimension : declared.type->items) collect_symbols(dimension, true);
        if (declared.channels_last && declared.type->items.size() < 3) {
          diagnostics_.add(declared.type->span,
                           "channels_last wants a type with batch, spatial and channel extents, such as u8[1, 224, 224, 3]");
        }
      }
    }
  }

  void collect_symbols(const Value& value, bool outermost) {
    const bool quoted = value.kind == Value::Kind::string && outermost;
    if (value.kind == Value::Kind::name || quoted) {
      const std::string why = quoted ? "" : why_reserved(value.text);
      if (!why.empty()) diagnostics_.add(value.span, fmt::format("'{}' cannot be a symbol: {}", value.text, why));
      checked_.symbols.insert(value.text);
    }
    for (const Value& item : value.items) collect_symbols(item, value.kind == Value::Kind::group);
  }

  void declare(const Block& block) {
    const std::string& name = block.name.text;
    if (layers::find_layer(name)) {
      diagnostics_.add(block.name.span, fmt::format("'{}' is a layer; the block needs another name", name));
    }
    Definition definition{&block, std::vector<ParameterKind>(block.parameters.size(), ParameterKind::unused)};
    const auto [known, is_new] = checked_.blocks.emplace(name, std::move(definition));
    if (!is_new) {
      diagnostics_.add(block.name.span, fmt::format("block '{}' is defined twice", name),
                       {fmt::format("it is first defined in line {}", source_.line(known->second.block->name.span))});
    }
    for (const Parameter& parameter : block.parameters) {
      const std::string why = why_reserved(parameter.name.text);
      if (!why.empty()) diagnostics_.add(parameter.name.span, fmt::format("'{}' cannot be a parameter: {}", parameter.name.text, why));
    }
  }

  /// Checks the blocks that this one calls, then the block. `path_` is how it was reached.
  void visit(const Block& block, int depth) {
    const auto found = checked_.blocks.find(block.name.text);
    if (found->second.block != &block || done_.contains(&block)) return;
    done_.insert(&block);
    path_.push_back(&block);
    for (const Statement& statement : block.body.statements) {
      const auto called = checked_.blocks.find(statement.callee.text);
      if (statement.broken || statement.kind != Statement::Kind::call || called == checked_.blocks.end()) continue;
      if (const auto cycle = std::find(path_.begin(), path_.end(), called->second.block); cycle != path_.end()) {
        std::string names;
        for (auto step = cycle; step != path_.end(); ++step) names += (*step)->name.text + " -> ";
        diagnostics_.add(statement.callee.span,
                         fmt::format("block '{}' contains itself: {}{}", statement.callee.text, names, statement.callee.text));
      } else if (depth >= most_nested_blocks) {
        diagnostics_.add(statement.callee.span, fmt::format("blocks nest at most {} deep", most_nested_blocks));
      } else {
        visit(*called->second.block, depth + 1);
      }
    }
    path_.pop_back();
    check_block(found->second, checked_, source_, diagnostics_);
  }

  void network(const Network& network) { check_network(network, checked_, source_, diagnostics_); }

  const Source& source_;
  Diagnostics& diagnostics_;
  CheckedFile checked_;
  std::set<const Block*> done_;
  std::vector<const Block*> path_;
};

}  // namespace

CheckedFile check(const File& file, const Source& source, Diagnostics& diagnostics) { return Checker(file, source, diagnostics).run(); }

}  // namespace calotype::frontend::text

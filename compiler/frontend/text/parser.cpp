/// \file
/// The parser: definitions, statements and calls, by recursive descent. Each statement is a place to go on after a mistake.
#include "frontend/text/parser.h"

#include <fmt/format.h>

#include "frontend/text/token_reader.h"
#include "frontend/text/values.h"
#include "ir/tensor_type.h"

namespace calotype::frontend::text {
namespace {

class Parser {
 public:
  Parser(const Source& source, Diagnostics& diagnostics) : reader_(source, diagnostics) {}

  File file() {
    File file;
    while (!reader_.at_end()) {
      try {
        definition(file);
      } catch (const SyntaxMistake&) {
        reader_.skip_header();
      }
    }
    return file;
  }

 private:
  void definition(File& file) {
    if (reader_.is_word("network")) return network(file);
    if (reader_.is_word("block")) return block(file);
    const Span where = reader_.token().span;
    const bool bad = reader_.token().kind == TokenKind::bad;
    const std::string found = reader_.found();
    reader_.take();
    // One message for all that stands outside braces until the next definition.
    if (reader_.is('{') || !reader_.starts_definition()) {
      while (!reader_.at_end() && !reader_.starts_definition()) reader_.take();
    }
    if (!bad) {
      reader_.diagnostics().add(where, fmt::format("expected 'network' or 'block', found {}", found),
                                {"a description is: network NAME(INPUT: f32[N, 3, 224, 224]) -> RESULT { statements }"});
    }
  }

  void block(File& file) {
    reader_.take();
    Block block;
    try {
      block.name = parse_name(reader_, "the block's name");
      reader_.open('(', "the block's name");
      while (!reader_.list_ended(')')) {
        block.parameters.push_back(parameter());
        if (!reader_.accept(',')) break;
      }
      reader_.close(')', "a parameter");
      arrow("the block's result: -> NAME");
      do block.results.push_back(parse_name(reader_, "the name of the block's result"));
      while (reader_.accept(','));
    } catch (const SyntaxMistake&) {
      block.body.incomplete = true;
      if (!reader_.skip_header()) return add(file, std::move(block));
    }
    body(block.body, "block");
    add(file, std::move(block));
  }

  void add(File& file, Block block) {
    if (!block.name.text.empty()) file.blocks.push_back(std::move(block));
  }

  Parameter parameter() {
    Parameter parameter{parse_name(reader_, "a parameter"), std::nullopt};
    if (reader_.accept('=')) parameter.fallback = parse_value(reader_);
    return parameter;
  }

  void network(File& file) {
    const Span keyword = reader_.take().span;
    Network network;
    try {
      network.name = parse_name(reader_, "the network's name");
      reader_.open('(', "the network's name");
      while (!reader_.list_ended(')')) {
        try {
          network.inputs.push_back(input());
        } catch (const SyntaxMistake&) {
          network.body.incomplete = true;
          if (reader_.skip_item()) continue;
          if (!reader_.is(')')) throw;
          break;
        }
        if (!reader_.accept(',')) break;
      }
      reader_.close(')', "an input");
      arrow("the network's results: -> NAME");
      do network.results.push_back(declared("the name of a result"));
      while (reader_.accept(','));
    } catch (const SyntaxMistake&) {
      network.body.incomplete = true;
      if (!reader_.skip_header()) {
        if (!file.network) file.network = std::move(network);
        return;
      }
    }
    body(network.body, "network");
    if (!file.network) {
      file.network = std::move(network);
    } else {
      reader_.diagnostics().add(keyword, "a file holds one network",
                                {fmt::format("the first is in line {}", reader_.source().line(file.network->name.span))});
    }
  }

  void arrow(std::string_view what) {
    if (reader_.token().kind != TokenKind::arrow) reader_.expected(what);
    reader_.take();
  }

  Declared input() {
    if (element_type_of(reader_.text()) && reader_.is('[', 1)) {
      reader_.expected(fmt::format("an input, as in image: {}[...]", reader_.text()));
    }
    Declared input = declared("an input");
    if (!input.type) reader_.expected(fmt::format("the type of '{0}', as in {0}: f32[N, 3, 224, 224]", input.name.text));
    return input;
  }

  Declared declared(std::string_view what) {
    Declared declared{parse_name(reader_, what), std::nullopt};
    if (!reader_.accept(':')) return declared;
    declared.type = parse_type(reader_);
    if (reader_.is_word("channels_last")) {
      declared.channels_last = true;
      reader_.take();
    }
    return declared;
  }

  void body(Body& body, std::string_view what) {
    if (!reader_.is('{')) {
      try {
        reader_.expected("'{'");
      } catch (const SyntaxMistake&) {
        body.incomplete = true;
        if (!reader_.skip_header()) return;
      }
    }
    const Span brace = reader_.take().span;
    while (!reader_.is('}')) {
      if (reader_.at_end() || reader_.starts_definition()) {
        reader_.diagnostics().add(brace, fmt::format("the {}'s '{{' is not closed", what));
        return;
      }
      statement(body);
    }
    reader_.take();
  }

  void statement(Body& body) {
    reader_.begin_statement();
    Statement statement;
    statement.span = reader_.token().span;
    try {
      parse(statement);
      statement.span.end = reader_.previous().end;
      if (!reader_.line_ended() && !reader_.is('}')) {
        reader_.expected("the end of the line", {"each statement has a line of its own"});
      }
    } catch (const SyntaxMistake&) {
      statement.broken = true;
      body.incomplete |= statement.results.empty();
      reader_.skip_statement();
    }
    reader_.end_statement();
    if (!statement.broken || !statement.results.empty()) body.statements.push_back(std::move(statement));
  }

  void parse(Statement& statement) {
    if (reader_.is_word("weights") && !(reader_.is('=', 1) || reader_.is(',', 1))) return weights(statement);
    statement.results.push_back(parse_name(reader_, "a statement: NAME = layer(...)"));
    while (reader_.accept(',')) statement.results.push_back(parse_name(reader_, "the name of a result"));
    reader_.expect('=', "the name");
    if (reader_.line_ended() || !reader_.is_name())
      reader_.expected("a layer after '='", {"a tensor that stands inline is constant([[1, 2]])"});
    const bool quoted = reader_.token().kind == TokenKind::quoted;
    statement.callee = parse_name(reader_, "a layer after '='");
    if (reader_.line_ended() || reader_.is('}') || quoted) {
      statement.kind = Statement::Kind::alias;
      statement.operands.push_back({Value::Kind::name, statement.callee.span, 0, 0, statement.callee.text});
      return;
    }
    call(statement);
  }

  void weights(Statement& statement) {
    statement.kind = Statement::Kind::weights;
    reader_.take();
    if (reader_.line_ended() || reader_.token().kind != TokenKind::quoted) reader_.expected("a file name in double quotes after 'weights'");
    statement.callee = {unquote(reader_.text()), reader_.token().span};
    reader_.take();
  }

  void call(Statement& statement) {
    reader_.open('(', fmt::format("'{}'", statement.callee.text));
    while (!reader_.list_ended(')')) {
      if (reader_.is_name() && reader_.is('=', 1)) {
        Name name = parse_name(reader_, "an argument");
        reader_.take();
        statement.arguments.push_back({std::move(name), parse_value(reader_)});
      } else {
        Value operand = parse_value(reader_);
        if (!statement.arguments.empty()) {
          reader_.diagnostics().add(operand.span, "operands stand before the arguments");
        }
        statement.operands.push_back(std::move(operand));
      }
      if (!reader_.accept(',')) break;
    }
    reader_.close(')', statement.arguments.empty() ? "an operand" : "an argument");
  }

  TokenReader reader_;
};

}  // namespace

File parse_syntax(const Source& source, Diagnostics& diagnostics) { return Parser(source, diagnostics).file(); }

}  // namespace calotype::frontend::text

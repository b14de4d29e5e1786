#pragma once
/// \file
/// The syntax tree of a description: what stands there, before any name is looked up.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "frontend/text/source.h"

namespace calotype::frontend::text {

struct Name {
  std::string text;
  Span span;
};

/// An operand, or the value of an argument.
struct Value {
  enum class Kind : std::uint8_t {
    integer,  ///< `integer`
    real,  ///< `real`
    boolean,  ///< `integer` is 0 or 1
    string,  ///< `text`: a string, or a quoted name where a name is meant
    name,  ///< `text`: an operand, a word, a parameter or a symbol
    absent,  ///< _
    list,  ///< `items`; also extents
    type,  ///< `text` is the element type, `items` are the dimensions
    negate,  ///< `items[0]`
    add,  ///< `items[0]` and `items[1]`, as in the next three
    subtract,
    multiply,
    divide,
    group,  ///< `items[0]` in parentheses: always arithmetic
  };
  Kind kind = Kind::integer;
  Span span;
  std::int64_t integer = 0;
  double real = 0;
  std::string text = {};
  std::vector<Value> items = {};
};

struct Argument {
  Name name;
  Value value;
};

struct Statement {
  enum class Kind {
    call,  ///< results = callee(operands, arguments)
    alias,  ///< results[0] = operands[0], a second name for a value
    weights,  ///< weights "file"; `callee.text` is the file
  };
  Kind kind = Kind::call;
  std::vector<Name> results;
  Name callee;
  std::vector<Value> operands;
  std::vector<Argument> arguments;
  Span span;
  bool broken = false;  ///< reported; only `results` can be relied on
};

/// The statements between braces. Incomplete where a mistake may have hidden a name.
struct Body {
  std::vector<Statement> statements;
  bool incomplete = false;
};

struct Parameter {
  Name name;
  std::optional<Value> fallback;
};

struct Block {
  Name name;
  std::vector<Parameter> parameters;
  std::vector<Name> results;
  Body body;
};

/// An input or a result of the network.
struct Declared {
  Name name;
  std::optional<Value> type;  ///< of kind type
  bool channels_last = false;
};

struct Network {
  Name name;
  std::vector<Declared> inputs;
  std::vector<Declared> results;
  Body body;
};

struct File {
  std::vector<Block> blocks;
  std::optional<Network> network;
};

}  // namespace calotype::frontend::text

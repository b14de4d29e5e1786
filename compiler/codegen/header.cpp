/// \file
/// The header's text, in the order in which a reader wants it: what the model is, what it takes and gives, the functions, the C++ class.
#include "codegen/header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/run_checks.h"
#include "cpu/model.h"
#include "embedded/types_header.h"

namespace calotype::codegen {
namespace {

std::string_view c_type(ElementType type) {
  switch (type) {
    case ElementType::f64: return "double";
    case ElementType::f32: return "float";
    case ElementType::f16:
    case ElementType::bf16: return "uint16_t";
    case ElementType::i8: return "int8_t";
    case ElementType::u8:
    case ElementType::boolean: return "uint8_t";
    case ElementType::i16: return "int16_t";
    case ElementType::u16: return "uint16_t";
    case ElementType::i32: return "int32_t";
    case ElementType::u32: return "uint32_t";
    case ElementType::i64: return "int64_t";
    case ElementType::u64: return "uint64_t";
  }
  return "unsigned char";
}

std::string_view type_note(ElementType type) {
  switch (type) {
    case ElementType::f16: return ", IEEE half precision bits";
    case ElementType::bf16: return ", bfloat16 bits";
    case ElementType::boolean: return ", 0 or 1";
    default: return "";
  }
}

/// Text that cannot end a comment.
std::string in_comment(std::string_view text) {
  std::string safe;
  for (const char c : text) safe += static_cast<unsigned char>(c) < ' ' || (c == '/' && safe.ends_with('*')) ? '_' : c;
  return safe;
}

std::string buffer_macros(const CallerBuffer& caller) {
  const TensorType& type = caller.buffer->type;
  const std::vector<std::int64_t> extents = caller.memory_extents();
  const std::string& prefix = caller.macro_name;
  std::string text;
  text += fmt::format("#define {}_NAME {}\n", prefix, c_string(caller.name));
  text += fmt::format("#define {}_TYPE \"{}\"\n", prefix, name_of(type.element));
  text += fmt::format("#define {}_RANK {}\n", prefix, extents.size());
  text += fmt::format("#define {}_SHAPE {{{}}}\n", prefix, extents.empty() ? "1" : fmt::format("{}", fmt::join(extents, ", ")));
  text += fmt::format("#define {}_COUNT {}\n", prefix, type.elements());
  text += fmt::format("#define {}_BYTES {}\n", prefix, caller.buffer->bytes());
  return text;
}

std::string io_members(const std::vector<CallerBuffer>& buffers) {
  std::string text;
  for (const CallerBuffer& caller : buffers) {
    const ElementType element = caller.buffer->type.element;
    text += fmt::format("  {}{} *{}; /* {}: {}{}{}{} */\n", caller.is_input ? "const " : "", c_type(element), caller.c_name,
                        in_comment(caller.name), name_of(element), to_text(caller.memory_extents()),
                        caller.channels_last() ? " channels last" : "", type_note(element));
  }
  return text;
}

/// NAME and PREFIX stand for the model's name, small and large.
constexpr std::string_view functions = R"(
/* Opens a state in `memory` (PREFIX_STATE_BYTES(threads) bytes, aligned to PREFIX_STATE_ALIGN) or, where that is NULL, in memory of its own.
 * options may be NULL. On failure *self is NULL and nothing is kept. Any thread; not in real time. */
calotype_status NAME_open(NAME **self, void *memory, const calotype_options *options);

/* Computes the results from the inputs. No member of io may be NULL; buffers need only the alignment of their elements. Allocates nothing and
 * waits for no lock. Any thread, but one at a time for each state: a second one gets CALOTYPE_BUSY. */
calotype_status NAME_run(NAME *self, const NAME_io *io);

/* Ends a state that no thread is running. Memory given to NAME_open is the caller's again. NULL is allowed. */
void NAME_close(NAME *self);

/* A short sentence in English; never NULL. */
const char *NAME_status_text(calotype_status status);
)";

constexpr std::string_view wrapper = R"(
/* A state that closes itself. Never throws: ask status(), or the object itself, whether opening went well. */
class NAME_model {
 public:
  explicit NAME_model(int threads = 1) noexcept {
    calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
    options.threads = threads;
    status_ = NAME_open(&state_, nullptr, &options);
  }
  explicit NAME_model(const calotype_options &options, void *memory = nullptr) noexcept { status_ = NAME_open(&state_, memory, &options); }
  NAME_model(NAME_model &&other) noexcept : state_(other.state_), status_(other.status_) { other.state_ = nullptr; }
  NAME_model &operator=(NAME_model &&other) noexcept {
    NAME *const state = other.state_;
    other.state_ = nullptr;
    NAME_close(state_);
    state_ = state;
    status_ = other.status_;
    return *this;
  }
  NAME_model(const NAME_model &) = delete;
  NAME_model &operator=(const NAME_model &) = delete;
  ~NAME_model() { NAME_close(state_); }

  explicit operator bool() const noexcept { return state_ != nullptr; }
  calotype_status status() const noexcept { return status_; } /* of opening */
  calotype_status run(const NAME_io &io) noexcept { return NAME_run(state_, &io); }
  NAME *state() noexcept { return state_; }

 private:
  NAME *state_ = nullptr;
  calotype_status status_ = CALOTYPE_OK;
};
)";

/// What run wants of the inputs' numbers, where it checks any.
std::string checks_text(const ModelFacts& facts) {
  const std::vector<RunCheck> checks = run_checks(*facts.variants.front().plan);
  if (checks.empty()) return "";
  std::string text = "\n/* What run checks of the numbers that it is given:\n";
  for (const RunCheck& check : checks)
    text += fmt::format(" * - {}: {}\n", in_comment(fmt::format("{}", fmt::join(check.inputs, ", "))), in_comment(check.text));
  return text + " * Where a check fails, the results hold no answer. */\n";
}

std::string replaced(std::string_view text, std::string_view name) {
  std::string result;
  const std::string prefix = upper_case(name);
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("NAME")) {
      result += name;
      at += 4;
    } else if (text.substr(at).starts_with("PREFIX")) {
      result += prefix;
      at += 6;
    } else {
      result += text[at++];
    }
  }
  return result;
}

}  // namespace

std::string hash_digits(const WeightBlob& weights) { return fmt::format("{:02x}", fmt::join(weights.hash, "")); }

std::string c_string(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      literal += '\\';
      literal += c;
    } else if (byte < ' ' || byte == 0x7f || c == '?') {  // "??" begins a trigraph
      literal += fmt::format("\\{:03o}", byte);
    } else {
      literal += c;
    }
  }
  return literal + '"';
}

std::string header_text(const ModelFacts& facts) {
  const Library& library = *facts.library;
  const WeightBlob& weights = facts.weights;
  std::string targets;
  for (const Variant& variant : facts.variants) targets += (targets.empty() ? "" : ", ") + variant.target.text;
  const std::string prefix = upper_case(library.name);
  const bool external = library.weight_storage == WeightStorage::external;
  std::string text;
  text += fmt::format("/* {}: generated by Calotype {} for {}. Do not edit.\n *\n * Link with: cc app.c {}.a -lpthread -lm */\n",
                      in_comment(library.original_name), CALOTYPE_VERSION, targets, library.name);
  text += fmt::format("#ifndef CALOTYPE_MODEL_{0}_H\n#define CALOTYPE_MODEL_{0}_H\n\n", library.name);
  text += embedded::types_header();
  text += fmt::format("\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n");

  text += fmt::format("#define {}_MODEL_NAME {}\n", prefix, c_string(library.original_name));
  text += fmt::format("#define {}_MODEL_ABI {} /* the CALOTYPE_ABI this was generated for */\n", prefix, CALOTYPE_ABI);
  text += fmt::format("#define {}_WEIGHT_HASH \"{}\"\n", prefix, hash_digits(weights));
  if (external) {
    text += fmt::format("#define {0}_WEIGHTS_BYTES {1} /* of {2}.weights, which calotype_options.weights must give */\n", prefix,
                        weights.bytes + CALOTYPE_WEIGHTS_HEADER_BYTES, library.name);
  }
  text += "\n/* The memory of one state: a constant expression where `threads` is one. */\n";
  text += fmt::format("#define {}_STATE_BYTES(threads) CALOTYPE_STATE_BYTES({}, {}, threads)\n", prefix, facts.arena_bytes(),
                      facts.scratch_bytes());
  text += fmt::format("#define {}_STATE_ALIGN CALOTYPE_STATE_ALIGN\n", prefix);
  text += "\n/* Inputs and results. SHAPE is the buffer's, outermost extent first; buffers are dense. */\n";
  for (const CallerBuffer& caller : facts.buffers) text += buffer_macros(caller);

  text += "\n/* A state: one for each thread of use. All states share the weights, which are read-only. */\n";
  text += fmt::format("typedef struct {0} {0};\n\ntypedef struct {0}_io {{\n{1}}} {0}_io;\n", library.name, io_members(facts.buffers));
  text += checks_text(facts);
  text += replaced(functions, library.name);
  text += "\n#ifdef __cplusplus\n} /* extern \"C\" */\n";
  text += replaced(wrapper, library.name);
  text += fmt::format("#endif\n\n#endif /* CALOTYPE_MODEL_{}_H */\n", library.name);
  return text;
}

}  // namespace calotype::codegen

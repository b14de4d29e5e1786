/// \file
/// Small random networks in the text format.
#include "random_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <random>
#include <vector>

namespace calotype::testing {
namespace {

using Extents = std::vector<std::int64_t>;

struct Made {
  std::string name;
  Extents extents;
  int readers = 0;
};

struct Maker {
  std::mt19937 random;
  std::vector<Made> values;
  std::string body;
  int count = 0;

  // The library's distributions differ between implementations; the engine does not.
  std::int64_t below(std::int64_t bound) { return static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(bound)); }
  std::int64_t one_of(const Extents& list) { return list[static_cast<std::size_t>(below(static_cast<std::int64_t>(list.size())))]; }
  bool chance(int percent) { return below(100) < percent; }

  /// A value for which the condition holds, or null; late values are likelier, so that networks grow deep.
  template <typename Condition>
  Made* pick(Condition condition) {
    std::vector<Made*> fitting;
    for (Made& value : values) {
      if (condition(value)) fitting.push_back(&value);
    }
    if (fitting.empty()) return nullptr;
    const auto size = static_cast<std::int64_t>(fitting.size());
    Made* chosen = fitting[static_cast<std::size_t>(chance(60) ? size - 1 : below(size))];
    ++chosen->readers;
    return chosen;
  }
  Made* picture() {
    return pick([](const Made& value) { return value.extents.size() == 4; });
  }
  Made* like(const Extents& extents) {
    return pick([&](const Made& value) { return value.extents == extents; });
  }

  void add(const std::string& statement, Extents extents) {
    const std::string name = fmt::format("v{}", count++);
    body += fmt::format("  {} = {}\n", name, statement);
    values.push_back({name, std::move(extents)});
  }

  std::string activation() {
    static constexpr const char* names[] = {"none", "relu", "relu6", "sigmoid", "hard_swish", "tanh"};
    return names[below(6)];
  }
};

/// A window over two dimensions as arguments, and the extents behind it.
struct Window {
  std::string arguments;
  std::int64_t height = 0, width = 0;
};

Window window(Maker& maker, const Extents& x, bool is_pool) {
  Extents kernel, begin, end, stride, out;
  const bool same = maker.chance(40);
  for (std::size_t d = 2; d < 4; ++d) {
    stride.push_back(maker.chance(75) ? 1 : 2);
    kernel.push_back(std::min(x[d], maker.one_of({1, 2, 3, 3, 5})));
    const std::int64_t most = is_pool ? kernel.back() / 2 : 2;  // a pool's window must not lie wholly in the padding
    begin.push_back(maker.below(most + 1));
    end.push_back(maker.below(most + 1));
    const std::int64_t padded = x[d] + begin.back() + end.back();
    out.push_back(same ? (x[d] + stride.back() - 1) / stride.back() : (padded - kernel.back()) / stride.back() + 1);
  }
  const std::string padding = same ? std::string("same") : fmt::format("[{}, {}, {}, {}]", begin[0], begin[1], end[0], end[1]);
  return {fmt::format("kernel=[{}], stride=[{}], padding={}", fmt::join(kernel, ", "), fmt::join(stride, ", "), padding), out[0], out[1]};
}

void add_conv(Maker& maker) {
  const Made x = *maker.picture();
  const Window w = window(maker, x.extents, false);
  const bool grouped = x.extents[1] % 2 == 0 && maker.chance(20);
  const std::int64_t filters = grouped ? maker.one_of({2, 6, 16, 18}) : maker.one_of({1, 3, 5, 8, 16, 17, 33});
  const bool bias = maker.chance(70);
  maker.add(fmt::format("conv({}, filters={}, {}, groups={}, bias={}, activation={})", x.name, filters, w.arguments, grouped ? 2 : 1, bias,
                        maker.activation()),
            {x.extents[0], filters, w.height, w.width});
}

void add_depthwise(Maker& maker) {
  const Made x = *maker.picture();
  const Window w = window(maker, x.extents, false);
  maker.add(fmt::format("depthwise({}, {}, activation={})", x.name, w.arguments, maker.activation()),
            {x.extents[0], x.extents[1], w.height, w.width});
}

void add_pool(Maker& maker) {
  const Made x = *maker.picture();
  const Window w = window(maker, x.extents, true);
  maker.add(fmt::format("{}({}, {})", maker.chance(50) ? "max_pool" : "average_pool", x.name, w.arguments),
            {x.extents[0], x.extents[1], w.height, w.width});
}

void add_norm(Maker& maker) {
  const Made x = *maker.picture();
  maker.add(fmt::format("batch_norm({}, activation={})", x.name, maker.activation()), x.extents);
}

void add_sum(Maker& maker) {
  const Made a = *maker.pick([](const Made&) { return true; });
  const Made b = *maker.like(a.extents);
  static constexpr const char* kinds[] = {"add", "mul", "sub", "max"};
  maker.add(fmt::format("{}({}, {}, activation={})", kinds[maker.below(4)], a.name, b.name, maker.activation()), a.extents);
}

/// Squeeze and excite.
void add_scale(Maker& maker) {
  const Made x = *maker.picture();
  const Extents squeezed = {x.extents[0], x.extents[1], 1, 1};
  maker.add(fmt::format("global_average_pool({})", x.name), squeezed);
  ++maker.values.back().readers;
  const std::string pooled = maker.values.back().name;
  maker.add(fmt::format("conv({}, filters={}, kernel=1, activation=sigmoid)", pooled, x.extents[1]), squeezed);
  ++maker.values.back().readers;
  maker.add(fmt::format("mul({}, {})", x.name, maker.values.back().name), x.extents);
}

void add_concat(Maker& maker) {
  const Made a = *maker.picture();
  const Made b = *maker.pick([&](const Made& value) {
    return value.extents.size() == 4 && value.extents[0] == a.extents[0] && value.extents[2] == a.extents[2] &&
           value.extents[3] == a.extents[3];
  });
  if (a.extents[1] + b.extents[1] > 80) return add_pool(maker);
  maker.add(fmt::format("concat({}, {})", a.name, b.name), {a.extents[0], a.extents[1] + b.extents[1], a.extents[2], a.extents[3]});
}

void add_flat(Maker& maker) {
  const Made x = *maker.picture();
  const std::int64_t rest = x.extents[1] * x.extents[2] * x.extents[3];
  if (maker.chance(50)) {
    maker.add(fmt::format("global_average_pool({})", x.name), {x.extents[0], x.extents[1], 1, 1});
    ++maker.values.back().readers;
    const std::string pooled = maker.values.back().name;
    return maker.add(fmt::format("flatten({})", pooled), {x.extents[0], x.extents[1]});
  }
  maker.add(fmt::format("flatten({})", x.name), {x.extents[0], rest});
}

void add_dense(Maker& maker) {
  const Made* x = maker.pick([](const Made& value) { return value.extents.size() == 2 && value.extents[1] <= 3000; });
  if (x == nullptr) return add_flat(maker);
  const std::int64_t units = maker.one_of({1, 5, 16, 19}), batch = x->extents[0];
  maker.add(fmt::format("dense({}, units={}, activation={})", x->name, units, maker.activation()), {batch, units});
}

void add_move(Maker& maker) {
  const Made x = *maker.picture();
  const Extents& e = x.extents;
  switch (maker.below(4)) {
    case 0: return maker.add(fmt::format("transpose({}, order=[0, 1, 3, 2])", x.name), {e[0], e[1], e[3], e[2]});
    case 1: return maker.add(fmt::format("dropout({})", x.name), e);
    case 2: return maker.add(fmt::format("pad({}, amount=[0, 0, 1, 0, 0, 0, 0, 2])", x.name), {e[0], e[1], e[2] + 1, e[3] + 2});
    default:
      return maker.add(fmt::format("slice({}, begin=[0], end=[{}], axes=[1])", x.name, (e[1] + 1) / 2), {e[0], (e[1] + 1) / 2, e[2], e[3]});
  }
}

}  // namespace

std::string random_network(std::uint32_t seed, int layers) {
  Maker maker{std::mt19937(seed), {}, {}};
  std::vector<std::string> inputs;
  const std::int64_t batch = maker.chance(75) ? 1 : 2;
  for (int i = 0; i < (maker.chance(30) ? 2 : 1); ++i) {
    const Extents e = {batch, maker.one_of({1, 3, 8, 16, 19}), 1 + maker.below(13), 1 + maker.below(13)};
    const std::string name = fmt::format("x{}", i);
    const bool last = maker.chance(25);
    inputs.push_back(last ? fmt::format("{}: f32[{}, {}, {}, {}] channels_last", name, e[0], e[2], e[3], e[1])
                          : fmt::format("{}: f32[{}]", name, fmt::join(e, ", ")));
    maker.values.push_back({name, e, 1});
  }
  using Add = void (*)(Maker&);
  static constexpr Add adds[] = {add_conv, add_conv,  add_conv,   add_depthwise, add_pool,  add_norm, add_sum,
                                 add_sum,  add_scale, add_concat, add_flat,      add_dense, add_move};
  while (maker.count < layers) adds[maker.below(std::size(adds))](maker);
  std::vector<std::string> results;
  for (const Made& value : maker.values) {
    if (value.readers == 0 || (value.name[0] == 'v' && maker.chance(8))) results.push_back(value.name);
  }
  return fmt::format("network random({}) -> {} {{\n{}}}\n", fmt::join(inputs, ", "), fmt::join(results, ", "), maker.body);
}

}  // namespace calotype::testing

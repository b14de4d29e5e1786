/// \file
/// Layers that gather something from rows of numbers that lie together: softmax, the norms, reductions over trailing axes, global pools, the place of
/// the largest. A row is walked in vectors, several of them at a time, each lane with a total of its own; lanes are joined at the row's end.
/// Rows are the tasks' loop, so a row is in the first cache when it is walked a second time, and exponentials are taken once.
///
/// Where a row ends inside of a vector, the last vector begins earlier, and what was met before counts as nothing.
///
/// Measured on Zen 4, one thread, by the generic schedule and by this: softmax of 2364 rows of 197 numbers 514 and 251 us, layer_norm of 197 rows of
/// 768 72 and 23, their means 118 and 5.3, group_norm of 32x3136 63 and 12, the place of the largest of 1000 277 and 16 (64 rows).
#include <algorithm>
#include <functional>
#include <limits>

#include "ir/checked.h"
#include "layers/arithmetic.h"
#include "schedules/cpu/cpu_templates.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
namespace arithmetic = layers::arithmetic;

enum class Kind {
  softmax,
  log_softmax,
  layer_norm,
  rms_norm,
  group_norm,
  sum,
  mean,
  l1,
  l2,
  sum_square,
  largest,
  least,
  first_largest,
  first_least
};

struct Named {
  const char* layer;
  Kind kind;
};
constexpr Named kinds[] = {
    {"softmax", Kind::softmax},
    {"log_softmax", Kind::log_softmax},
    {"layer_norm", Kind::layer_norm},
    {"rms_norm", Kind::rms_norm},
    {"group_norm", Kind::group_norm},
    {"instance_norm", Kind::group_norm},
    {"reduce_sum", Kind::sum},
    {"reduce_mean", Kind::mean},
    {"reduce_l1", Kind::l1},
    {"reduce_l2", Kind::l2},
    {"reduce_sum_square", Kind::sum_square},
    {"reduce_max", Kind::largest},
    {"reduce_min", Kind::least},
    {"global_average_pool", Kind::mean},
    {"global_max_pool", Kind::largest},
    {"arg_max", Kind::first_largest},
    {"arg_min", Kind::first_least},
};

std::optional<Kind> kind_of(const layers::Call& call) {
  for (const Named& named : kinds) {
    if (call.op().kind == named.layer) return named.kind;
  }
  return std::nullopt;
}

/// Has the result one number for each row, or the operand's shape?
bool keeps_shape(Kind kind) { return kind <= Kind::group_norm; }
bool is_place(Kind kind) { return kind == Kind::first_largest || kind == Kind::first_least; }

/// How many trailing axes of operand 0 make a row; 0: what the layer gathers does not lie together.
int axes_of_row(const layers::Call& call, Kind kind) {
  const int rank = call.type(0).rank();
  const std::string& name = call.op().kind;
  if (name.starts_with("global")) return rank - 2;
  if (kind == Kind::group_norm) return rank - 2;  // and the channels of a group
  if (kind == Kind::layer_norm || kind == Kind::rms_norm) return rank - call.axis("axis", rank);
  if (kind == Kind::softmax || kind == Kind::log_softmax || is_place(kind)) {
    const int axis = call.axis("axis", rank);
    for (int i = axis + 1; i < rank; ++i) {
      if (call.type(0).extents[static_cast<std::size_t>(i)] != 1) return 0;
    }
    return rank - axis;
  }
  if (!call.has_argument("axes")) return rank;
  std::vector<int> axes = call.axes("axes", rank);
  std::sort(axes.begin(), axes.end());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - static_cast<int>(axes.size() - i)) return 0;
  }
  return static_cast<int>(axes.size());
}

std::int64_t groups_of(const layers::Call& call) {
  return call.op().kind == "group_norm" ? call.integer("groups") : call.type(0).extents[1];
}

/// The operand as rows of so many numbers.
struct Shape {
  std::int64_t rows = 1, length = 1;
};

Shape shape_of(const layers::Call& call, Kind kind) {
  const TensorType& x = call.type(0);
  const int axes = axes_of_row(call, kind);
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) (i < x.rank() - axes ? shape.rows : shape.length) *= x.extents[static_cast<std::size_t>(i)];
  if (kind == Kind::group_norm) {
    shape.rows = x.extents[0] * groups_of(call);
    shape.length = x.elements() / std::max<std::int64_t>(1, shape.rows);
  }
  return shape;
}

/// The walk over rows, and what is to be scheduled of it.
struct Walk {
  KernelBuilder& builder;
  Halide::ImageParam x;  ///< (number, row)
  Shape shape;
  int lanes = 1;
  int vectors = 1;  ///< walked at a time, each with totals of its own
  Var row{"row"}, lane{"lane"}, vector{"vector"};
  std::vector<Func> partial = {};  ///< totals of lanes, with one update
  std::vector<Func> joined = {};  ///< over (lane, row), fewer and fewer lanes
  std::vector<Func> numbers = {};  ///< over (number, row)

  int length() const { return static_cast<int>(shape.length); }
  /// Names are unique in the process.
  std::string name(const char* of) const { return builder.prefix() + "_" + of; }
};

using Join = std::function<std::vector<Expr>(const std::vector<Expr>& a, const std::vector<Expr>& b)>;

/// All lanes' totals as one for each row, as a function of the row: halves are joined until one lane is left.
Func join_lanes(Walk& walk, const Func& partial, const std::string& name, const Join& join) {
  const auto at = [](const Func& f, const std::vector<Expr>& arguments) {
    const Halide::FuncRef reference = f(arguments);
    std::vector<Expr> values;
    for (std::size_t i = 0; i < f.types().size(); ++i)
      values.push_back(f.types().size() == 1 ? Expr(reference) : Expr(reference[static_cast<int>(i)]));
    return values;
  };
  const Var &lane = walk.lane, &row = walk.row;
  std::vector<Expr> all = at(partial, {lane, 0, row});
  for (int v = 1; v < walk.vectors; ++v) all = join(all, at(partial, {lane, v, row}));
  int lanes = walk.lanes;
  Func before(name + "_lanes");
  before(lane, row) = Halide::Tuple(all);
  walk.joined.push_back(before);
  for (lanes /= 2; lanes >= 1; lanes /= 2) {
    Func half(name + "_" + std::to_string(lanes));
    half(lane, row) = Halide::Tuple(join(at(before, {lane, row}), at(before, {lane + lanes, row})));
    walk.joined.push_back(half);
    before = half;
  }
  Func total(name);
  total(row) = Halide::Tuple(at(before, {0, row}));
  return total;
}

/// term(number, row) of all numbers of a row, joined; `nothing` is what changes no total. Of a term that may be met twice, `nothing` is undefined.
Expr total_of(Walk& walk, const char* what, const Expr& start, const Expr& nothing,
              const std::function<Expr(const Expr&, const Expr&)>& join,
              const std::function<Expr(const Expr& number, const Expr& row)>& term, const Expr& here) {
  const int step = walk.lanes * walk.vectors;
  const Halide::RDom r(0, (walk.length() + step - 1) / step, walk.name(what) + "_r");
  const Expr begin = (r.x * walk.vectors + walk.vector) * walk.lanes;
  const bool divides = walk.length() % step == 0;
  const Expr number = (divides ? begin : Halide::min(begin, walk.length() - walk.lanes)) + walk.lane;
  Expr more = term(number, walk.row);
  if (!divides && nothing.defined()) more = Halide::select(number >= begin, more, nothing);
  Func partial(walk.name(what) + "_partial");
  partial(walk.lane, walk.vector, walk.row) = start;
  partial(walk.lane, walk.vector, walk.row) = join(partial(walk.lane, walk.vector, walk.row), more);
  walk.partial.push_back(partial);
  const Func total =
      join_lanes(walk, partial, walk.name(what), [&](const auto& a, const auto& b) { return std::vector<Expr>{join(a[0], b[0])}; });
  return total(here);
}

Expr sum_of(Walk& walk, const char* what, const std::function<Expr(const Expr& number, const Expr& row)>& term, const Expr& here) {
  // Each total adds a 64th of the numbers, or less; where that is a long sum still, in f64.
  const bool is_long = walk.length() / (walk.lanes * walk.vectors) > 4096;
  const Halide::Type type = is_long ? Halide::Float(64) : Halide::Float(32);
  const Expr zero = Halide::Internal::make_zero(type);
  return total_of(
      walk, what, zero, zero, [](const Expr& a, const Expr& b) { return a + b; },
      [&](const Expr& number, const Expr& row) { return Halide::cast(type, term(number, row)); }, here);
}

Expr largest_of(Walk& walk, const Expr& here) {
  const Expr start = Halide::Internal::make_const(Halide::Float(32), -std::numeric_limits<double>::infinity());
  return total_of(
      walk, "largest", start, Expr(), arithmetic::maximum, [&](const Expr& number, const Expr& row) { return walk.x(number, row); }, here);
}

/// As i64, of the numbers that come before all others (or after), the first place or the last.
Expr place_of(Walk& walk, bool largest, bool last, const Expr& here) {
  const auto precedes = [&](const Expr& a, const Expr& b) {
    return (largest ? arithmetic::less(b, a) : arithmetic::less(a, b)) || (arithmetic::is_nan(a) && !arithmetic::is_nan(b));
  };
  const Join join = [&](const std::vector<Expr>& a, const std::vector<Expr>& b) {
    const Expr is_earlier = last ? b[1] > a[1] : b[1] < a[1];
    const Expr is_better = precedes(b[0], a[0]) || (!precedes(a[0], b[0]) && is_earlier);
    return std::vector<Expr>{Halide::select(is_better, b[0], a[0]), Halide::select(is_better, b[1], a[1])};
  };
  const int step = walk.lanes * walk.vectors;
  const Halide::RDom r(0, (walk.length() + step - 1) / step, walk.name("place_r"));
  const Expr number = Halide::min((r.x * walk.vectors + walk.vector) * walk.lanes, walk.length() - walk.lanes) + walk.lane;
  Func partial(walk.name("place_partial"));
  const std::vector<Expr> at = {walk.lane, walk.vector, walk.row};
  partial(walk.lane, walk.vector, walk.row) = Halide::Tuple(walk.x(walk.lane, walk.row), Halide::cast<int>(walk.lane));
  const Halide::FuncRef so_far = partial(walk.lane, walk.vector, walk.row);
  partial(walk.lane, walk.vector, walk.row) = Halide::Tuple(join({so_far[0], so_far[1]}, {walk.x(number, walk.row), number}));
  walk.partial.push_back(partial);
  return Halide::cast<std::int64_t>(Func(join_lanes(walk, partial, walk.name("place"), join))(here)[1]);
}

/// (x - mean) / sqrt(variance + epsilon), or without a mean; scale and shift at `weight_index`.
Expr normalized(Walk& walk, const layers::Call& call, bool centered, const layers::Index& weight_index, const Expr& number,
                const Expr& here) {
  const Expr length = static_cast<float>(walk.shape.length);
  std::function<Expr(const Expr&, const Expr&)> deviation = [&](const Expr& k, const Expr& row) { return Expr(walk.x(k, row)); };
  Func mean(walk.name("mean"));
  if (centered) {
    const Expr sum = sum_of(walk, "sum", deviation, walk.row);
    mean(walk.row) = Halide::cast<float>(sum) / length;
    walk.joined.push_back(mean);
    deviation = [&](const Expr& k, const Expr& row) { return walk.x(k, row) - mean(row); };
  }
  const Expr squares = sum_of(
      walk, "squares",
      [&](const Expr& k, const Expr& row) {
        const Expr d = deviation(k, row);
        return d * d;
      },
      walk.row);
  Func scale(walk.name("scale"));
  scale(walk.row) = 1.0F / arithmetic::square_root(Halide::cast<float>(squares) / length + static_cast<float>(call.real("epsilon")));
  walk.joined.push_back(scale);
  Expr y = deviation(number, here) * scale(here);
  const int weight = walk.builder.position_of(0, "weight"), bias = walk.builder.position_of(0, "bias");
  if (weight >= 0) y = y * walk.builder.read(weight, weight_index);
  if (bias >= 0) y = y + walk.builder.read(bias, weight_index);
  return y;
}

/// The result at the point that lies `number` into the row `here`.
Expr value_of(Walk& walk, const layers::Call& call, Kind kind, const Expr& number, const Expr& here) {
  const layers::Index& index = walk.builder.point().index;
  const auto x = [&](const Expr& k, const Expr& row) { return Expr(walk.x(k, row)); };
  switch (kind) {
    case Kind::softmax:
    case Kind::log_softmax: {
      Func largest(walk.name("row_largest")), exponential(walk.name("exponential"));
      largest(walk.row) = largest_of(walk, walk.row);
      walk.joined.push_back(largest);
      const Var k("k");
      exponential(k, walk.row) = arithmetic::exp(arithmetic::subtract(walk.x(k, walk.row), largest(walk.row)));
      if (kind == Kind::softmax && walk.shape.length <= 1 << 16) walk.numbers.push_back(exponential);
      const auto exponentials = [&](const Expr& i, const Expr& row) { return Expr(exponential(i, row)); };
      const Expr sum = Halide::cast<float>(sum_of(walk, "sum", exponentials, walk.row));
      Func last(walk.name("last"));  // what the sum does to each number of the row
      last(walk.row) = kind == Kind::softmax ? arithmetic::divide(1.0F, sum) : arithmetic::log(sum);
      walk.joined.push_back(last);
      if (kind == Kind::softmax) return arithmetic::multiply(exponential(number, here), last(here));
      return arithmetic::subtract(arithmetic::subtract(x(number, here), largest(here)), last(here));
    }
    case Kind::layer_norm:
    case Kind::rms_norm: {
      const auto first = call.type(0).rank() - axes_of_row(call, kind);
      return normalized(walk, call, kind == Kind::layer_norm, {index.begin() + first, index.end()}, number, here);
    }
    case Kind::group_norm: return normalized(walk, call, true, {index[1]}, number, here);
    case Kind::sum: return Halide::cast<float>(sum_of(walk, "sum", x, here));
    case Kind::mean: {
      const Expr sum = sum_of(walk, "sum", x, here);
      return Halide::cast<float>(arithmetic::divide(sum, arithmetic::like(sum, static_cast<double>(walk.shape.length))));
    }
    case Kind::l1:
      return Halide::cast<float>(
          sum_of(walk, "sum", [&](const Expr& k, const Expr& row) { return arithmetic::absolute(walk.x(k, row)); }, here));
    case Kind::l2:
    case Kind::sum_square: {
      const Expr sum = sum_of(walk, "sum", [&](const Expr& k, const Expr& row) { return walk.x(k, row) * walk.x(k, row); }, here);
      return kind == Kind::l2 ? Halide::cast<float>(arithmetic::square_root(sum)) : Halide::cast<float>(sum);
    }
    case Kind::largest: return largest_of(walk, here);
    case Kind::least: {
      const Expr start = Halide::Internal::make_const(Halide::Float(32), std::numeric_limits<double>::infinity());
      return total_of(walk, "least", start, Expr(), arithmetic::minimum, x, here);
    }
    case Kind::first_largest:
    case Kind::first_least: return place_of(walk, kind == Kind::first_largest, call.boolean("select_last_index"), here);
  }
  return {};
}

/// Position of the point in a planar tensor of these extents, over dimensions [begin, end) of it.
Expr position(const layers::Index& index, const std::vector<std::int64_t>& extents, std::size_t begin, std::size_t end) {
  Expr at = 0;
  for (std::size_t i = begin; i < end; ++i) at = at * static_cast<int>(extents[i]) + index[i];
  return at;
}

/// Everything that is gathered from a row is computed inside of the loop over rows.
void place_gathered(const Walk& walk, const std::function<void(Func&)>& place) {
  for (Func partial : walk.partial) {
    place(partial);
    partial.store_in(Halide::MemoryType::Stack).bound_extent(walk.lane, walk.lanes).bound_extent(walk.vector, walk.vectors);
    partial.vectorize(walk.lane).unroll(walk.vector);
    partial.update().reorder({walk.lane, walk.vector, partial.rvars(0)[0]}).vectorize(walk.lane).unroll(walk.vector);
  }
  int lanes = 0;
  for (Func joined : walk.joined) {
    place(joined);
    joined.store_in(Halide::MemoryType::Stack);
    if (joined.dimensions() != 2) continue;
    lanes = lanes <= 1 ? walk.lanes : lanes / 2;
    joined.bound_extent(walk.lane, lanes);
    if (lanes > 1) joined.vectorize(walk.lane);
  }
  for (Func numbers : walk.numbers) {
    place(numbers);
    numbers.bound_extent(numbers.args()[0], walk.length());
    numbers.vectorize(numbers.args()[0], walk.lanes, TailStrategy::ShiftInwards);
  }
}

}  // namespace

std::optional<Choice> choose_rows(const Question& question) {
  const layers::Call call = question.call();
  const std::optional<Kind> kind = kind_of(call);
  if (!kind || call.type(0).element != ElementType::f32) return std::nullopt;
  const int axes = axes_of_row(call, *kind);
  if (axes == 0 || question.output_type().elements() == 0) return std::nullopt;
  const Shape shape = shape_of(call, *kind);
  if (shape.length < question.target.lanes(4)) return std::nullopt;
  // Pooled blocks are summed lane by lane, without a copy.
  const ValueId x = call.op().operands[0];
  if (call.layer().traits.keeps_channels && question.layout_of(x).family == plan::Layout::Family::blocked) return std::nullopt;
  int readers = 0;
  for (const OpId op : question.kernel.ops) {
    const Op& node = question.plan.graph.op(op);
    readers += static_cast<int>(std::count(node.operands.begin(), node.operands.end(), x));
  }
  if (readers != 1) return std::nullopt;

  Choice choice;
  choice.inputs = epilogue_wishes(question, {});
  for (std::size_t i = 0; i < choice.inputs.size(); ++i) {
    const auto& operands = call.op().operands;
    if (std::find(operands.begin(), operands.end(), question.kernel.input_values[i]) != operands.end()) choice.inputs[i] = {};
  }
  const std::int64_t vectors = shape.length / question.target.lanes(4);
  choice.parameters = {{"vectors", vectors >= 16  ? 4
                                   : vectors >= 4 ? 2
                                                  : 1},
                       {flat_parameter, *kind == Kind::group_norm ? 1 : 0},
                       {relaxed_parameter, *kind == Kind::softmax || *kind == Kind::log_softmax ? 1 : 0}};
  return choice;
}

Func build_rows(KernelBuilder& builder) {
  /* The algorithm. */
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Kind kind = *kind_of(call);
  const Shape shape = shape_of(call, kind);
  Walk walk{builder, builder.view_input(0, {shape.length, shape.rows}), shape, builder.target().lanes(4),
            static_cast<int>(builder.parameter("vectors"))};
  const ResultPoint& point = builder.point();
  const std::vector<Var>& at = point.variables;
  const auto rank = point.index.size();
  const std::vector<std::int64_t>& extents = call.result().extents;
  std::size_t row_axes = keeps_shape(kind) ? rank - static_cast<std::size_t>(axes_of_row(call, kind)) : rank;
  Expr row = position(point.index, extents, 0, row_axes);
  Expr number = 0;
  const auto channels = static_cast<int>(kind == Kind::group_norm ? call.type(0).extents[1] / groups_of(call) : 1);
  if (keeps_shape(kind)) {
    std::vector<std::int64_t> inner(rank);
    for (std::size_t i = row_axes; i < rank; ++i) inner[i] = point.storage[rank - 1 - i].extent;  // merged, if the builder walks flat
    number = position(point.index, inner, row_axes, rank);
    const auto cells = static_cast<int>(shape.length / channels);
    if (channels > 1) number = number + point.index[1] % channels * cells;
    row = row / channels;
  }
  Func output = builder.make_output(builder.finish(value_of(walk, call, kind, number, row)));

  /* The schedule. */
  std::vector<Halide::VarOrRVar> order;
  std::vector<std::pair<Var, std::int64_t>> outer;
  const Var once("once"), chunk("chunk"), cell("cell"), group("group"), channel("channel");
  const std::size_t inside = rank - row_axes;
  for (std::size_t i = 0; i < inside; ++i) {
    if (i == 0 && point.storage[0].extent >= walk.lanes) {
      output.split(at[0], chunk, cell, walk.lanes,
                   point.storage[0].extent % walk.lanes == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
      output.vectorize(cell);
      order.emplace_back(cell);
      order.emplace_back(chunk);
    } else {
      order.emplace_back(at[i]);
    }
  }
  std::vector<Var> rows(at.begin() + static_cast<std::ptrdiff_t>(inside), at.end());
  if (channels > 1) {
    output.split(rows[0], group, channel, channels);
    order.emplace_back(channel);
    rows[0] = group;
  }
  if (!rows.empty()) {
    output.split(rows[0], rows[0], once, 1);  // a place for what is gathered: tasks take the outer loops
    order.emplace_back(once);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    outer.emplace_back(rows[i], point.storage[inside + i].extent / (i == 0 ? channels : 1));
    order.emplace_back(rows[i]);
  }
  if (order.size() > 1) output.reorder(order);
  place_gathered(walk, [&](Func& f) { rows.empty() ? f.compute_root() : f.compute_at(output, once); });
  make_tasks(output, outer, static_cast<double>(call.type(0).elements()) * (keeps_shape(kind) ? 4 : 1));
  return output;
}

}  // namespace calotype::schedules::cpu

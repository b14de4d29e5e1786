"""Cases of reductions beyond sum, mean, max and min, of positions and of running totals: NumPy in f64."""
import numpy as np
from make_references import Tensor, case, random

REDUCTIONS = {
    "l1": lambda v, **k: np.sum(np.abs(v), **k),
    "l2": lambda v, **k: np.sqrt(np.sum(v * v, **k)),
    "log_sum": lambda v, **k: np.log(np.sum(v, **k)),
    "log_sum_exp": lambda v, **k: np.log(np.sum(np.exp(v), **k)),
    "prod": np.prod,
    "sum_square": lambda v, **k: np.sum(v * v, **k),
}
x = random([2, 3, 5, 19], 1)
for name, function in REDUCTIONS.items():
    operand = Tensor(np.abs(x.value) + np.float32(0.5)) if name in ("log_sum", "prod") else x
    wide = operand.value.astype(np.float64)
    for description, arguments, axis, keep in [("the last axis", "axes=-1", -1, True), ("pixels, dropped", "axes=[2, 3], keep_dims=false", (2, 3), False),
                                               ("the first axes", "axes=[0, 1]", (0, 1), True)]:
        expected = np.asarray(function(wide, axis=axis, keepdims=keep), np.float32)
        case("reductions", f"{name} over {description}", f"reduce_{name}(x, {arguments})", {"x": operand}, {}, [expected], tolerance=2e-6)
    case("reductions", f"{name} over nothing at all", f"reduce_{name}(x, axes=[])", {"x": operand}, {},
         [np.asarray(function(wide[..., None], axis=-1), np.float32)], tolerance=1e-6)
nothing = Tensor(np.zeros([2, 0, 3], np.float32))
for name, neutral in {"l1": 0, "l2": 0, "log_sum": -np.inf, "log_sum_exp": -np.inf, "prod": 1, "sum_square": 0, "max": -np.inf, "min": np.inf}.items():
    case("reductions", f"{name} of no elements", f"reduce_{name}(x, axes=1)", {"x": nothing}, {}, [np.full([2, 1, 3], neutral, np.float32)], tolerance=0)
large = Tensor(np.array([[1000, 999], [-1000, -1000], [-np.inf, -np.inf], [np.inf, 1], [np.nan, 1]], np.float32))
case("reductions", "log_sum_exp does not overflow", "reduce_log_sum_exp(x, axes=1)", {"x": large}, {},
     [np.array([[1000.3132617], [-999.3068528], [-np.inf], [np.inf], [np.nan]], np.float32)], tolerance=1e-6)
integers = random([3, 5], 1, "i32")
for name in ("l1", "prod", "sum_square"):
    case("reductions", f"{name} of i32", f"reduce_{name}(x, axes=1)", {"x": integers}, {},
         [REDUCTIONS[name](integers.value.astype(np.int64), axis=1, keepdims=True).astype(np.int32)], tolerance=0)


def position(description, statement, inputs, expected, tolerance=0):
    case("positions", description, statement, inputs, {}, expected, tolerance=tolerance)


ties = random([3, 4, 21], 1, "i8")
ties = Tensor((ties.value % 7).astype(np.int8))
special = Tensor(np.array([[1, np.nan, 2, np.nan], [3, np.inf, -np.inf, np.inf], [-0.0, 0.0, -0.0, 0.0]], np.float32))
for operand, what in ((ties, "i8"), (special, "special numbers")):
    last = operand.value.shape[-1] - 1
    for name, function in {"arg_max": np.argmax, "arg_min": np.argmin}.items():
        position(f"{name} of {what}", f"{name}(x, axis=-1)", {"x": operand}, [function(operand.value, axis=-1, keepdims=True)])
        position(f"{name} of {what}, the last", f"{name}(x, axis=-1, select_last_index=true)", {"x": operand},
                 [last - function(operand.value[..., ::-1], axis=-1, keepdims=True)])
    position(f"arg_max of {what} along columns", "arg_max(x, keep_dims=false)", {"x": operand}, [np.argmax(operand.value, axis=0)])
row = random([5], 3)
position("arg_max to a scalar", "arg_max(x, keep_dims=false)", {"x": row}, [np.asarray(np.argmax(row.value))])

for axis in (0, -1):
    hard = np.zeros(ties.value.shape, np.float32)
    np.put_along_axis(hard, np.argmax(ties.value, axis=axis, keepdims=True), 1, axis=axis)
    position(f"hardmax along {axis}", f"hardmax(x, axis={axis})", {"x": Tensor(ties.value.astype(np.float32))}, [hard])


def top(value, k, axis, largest):
    order = np.argsort(-value.astype(np.float64) if largest else value, axis=axis, kind="stable")
    places = np.take(order, range(k), axis=axis)
    return [np.take_along_axis(value, places, axis=axis), places]


for description, operand, k, axis, largest in [("of ties", ties, 5, -1, True), ("the smallest", ties, 5, -1, False), ("along columns", ties, 2, 0, True),
                                               ("all", random([2, 19], 4), 19, 1, True), ("one", random([2, 3, 5], 5), 1, 1, True),
                                               ("of none", random([2, 5], 5), 0, 1, True)]:
    position(f"top_k {description}", f"top_k(x, k={k}, axis={axis}, largest={str(largest).lower()})", {"x": operand}, top(operand.value, k, axis, largest))

x = random([2, 5, 18], 6)
for description, axis, exclusive, reverse in [("along rows", 2, False, False), ("along columns", 1, False, False), ("exclusive", -1, True, False),
                                              ("reverse", 0, False, True), ("exclusive and reverse", 1, True, True)]:
    wide = x.value.astype(np.float64)
    wide = np.flip(wide, axis) if reverse else wide
    for name, function, inverse in (("sum", np.cumsum, np.subtract), ("prod", np.cumprod, np.divide)):
        total = function(wide, axis)
        if exclusive:
            total = np.roll(total, 1, axis)
            np.moveaxis(total, axis, 0)[0] = 0 if name == "sum" else 1
        total = np.flip(total, axis) if reverse else total
        arguments = f"axis={axis}" + (", exclusive=true" if exclusive else "") + (", reverse=true" if reverse else "")
        position(f"cum_{name} {description}", f"cum_{name}(x, {arguments})", {"x": x}, [total.astype(np.float32)], tolerance=1e-6)
integers = random([3, 7], 7, "i8")
position("cum_sum of i8 wraps", "cum_sum(x, axis=1)", {"x": integers}, [np.cumsum(integers.value, 1, np.int8)])

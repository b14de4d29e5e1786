"""Cases of comparisons, logic, bits and remainders: NumPy's answers."""
import numpy as np
from make_references import Tensor, case, random


def logic(description, statement, inputs, expected):
    case("logic", description, statement, inputs, {}, [np.asarray(expected)], tolerance=0)


SPECIAL = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan], np.float32)
left, right = Tensor(np.repeat(SPECIAL, SPECIAL.size)), Tensor(np.tile(SPECIAL, SPECIAL.size))
COMPARISONS = {"equal": np.equal, "greater": np.greater, "greater_or_equal": np.greater_equal, "less": np.less, "less_or_equal": np.less_equal}
for name, function in COMPARISONS.items():
    logic(f"{name} of special numbers", f"{name}(a, b)", {"a": left, "b": right}, function(left.value, right.value))
    a, b = random([2, 3, 19], 1, "i8"), random([3, 1], 2, "i8")
    logic(f"{name} of i8", f"{name}(a, b)", {"a": a, "b": b}, function(a.value, b.value))
a, b = random([3, 50], 1, "u64"), random([50], 2, "u64")
logic("less of u64", "less(a, b)", {"a": a, "b": b}, a.value < b.value)
a, b = random([3, 5], 1, "bool"), random([5], 2, "bool")
logic("equal of bool", "equal(a, b)", {"a": a, "b": b}, a.value == b.value)

a, b = random([2, 3, 17], 1, "bool"), random([3, 1], 2, "bool")
for name, function in {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}.items():
    logic(name, f"{name}(a, b)", {"a": a, "b": b}, function(a.value, b.value))
logic("logical_not", "logical_not(a)", {"a": a}, ~a.value)

x, z = random([2, 1, 17], 3), random([1], 4)
logic("where", "where(b, x, z)", {"b": b, "x": x, "z": z}, np.where(b.value, x.value, z.value))
x, z = random([3, 5], 3, "i64"), random([5], 4, "i64")
c = random([3, 1], 5, "bool")
logic("where of i64", "where(c, x, z)", {"c": c, "x": x, "z": z}, np.where(c.value, x.value, z.value))

x = Tensor(SPECIAL)
logic("is_nan", "is_nan(x)", {"x": x}, np.isnan(SPECIAL))
logic("is_inf", "is_inf(x)", {"x": x}, np.isinf(SPECIAL))
logic("is_inf above", "is_inf(x, detect_negative=false)", {"x": x}, np.isposinf(SPECIAL))
logic("is_inf below", "is_inf(x, detect_positive=false)", {"x": x}, np.isneginf(SPECIAL))

for type in ("i8", "u16", "i32", "u64"):
    a, b = random([2, 35], 1, type), random([35], 2, type)
    a = Tensor(a.value - a.value.dtype.type(50)) if type.startswith("i") else a
    for name, function in {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}.items():
        logic(f"{name} of {type}", f"{name}(a, b)", {"a": a, "b": b}, function(a.value, b.value))
    if type != "u64":  # the file's numbers are doubles
        logic(f"bitwise_not of {type}", "bitwise_not(a)", {"a": a}, ~a.value)

x, places = Tensor(np.array([1, 3, 200, 255, 128, 7], np.uint8)), Tensor(np.array([0, 1, 7, 8, 9, 255], np.uint8))
logic("bit_shift to the left", "bit_shift(x, p, direction=left)", {"x": x, "p": places}, np.array([1, 6, 0, 0, 0, 0], np.uint8))
logic("bit_shift to the right", "bit_shift(x, p, direction=right)", {"x": x, "p": places}, np.array([1, 1, 1, 0, 0, 0], np.uint8))

for type in ("i8", "i32", "u8"):
    limits = np.iinfo(np.dtype({"i8": "int8", "i32": "int32", "u8": "uint8"}[type]))
    edge = np.array([0, 1, 7, 100, limits.max] + ([limits.min, -1, -7] if limits.min < 0 else []), limits.dtype)
    a, b = Tensor(np.repeat(edge, edge.size)), Tensor(np.tile(edge, edge.size))
    with np.errstate(all="ignore"):
        logic(f"mod of {type}", "mod(a, b)", {"a": a, "b": b}, np.where(b.value == 0, 0, np.mod(a.value, b.value)).astype(limits.dtype))
        logic(f"mod of {type} as C has it", "mod(a, b, fmod=true)", {"a": a, "b": b}, np.where(b.value == 0, 0, np.fmod(a.value, b.value)).astype(limits.dtype))
with np.errstate(all="ignore"):
    logic("mod of special numbers", "mod(a, b, fmod=true)", {"a": left, "b": right}, np.fmod(left.value, right.value))

"""Cases of elementwise layers: NumPy's ufuncs for arithmetic, ONNX Runtime for activations."""
import math

import numpy as np
from make_references import Tensor, case, onnx_runtime, random

SHAPES = {"one element": [1, 1], "batch and odd channels": [2, 19], "picture": [1, 3, 5, 7], "audio": [2, 5, 31], "voxels": [1, 3, 2, 3, 5]}

UFUNCS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "min": np.minimum, "max": np.maximum}

BROADCASTS = {
    "same shape": ([2, 3, 5], [2, 3, 5]),
    "channel on the right": ([1, 17, 3, 5], [1, 17, 1, 1]),
    "channel on the left": ([13, 1, 1], [2, 13, 3, 2]),
    "row on the right": ([2, 3, 5], [5]),
    "both sides": ([3, 1, 7], [1, 5, 1]),
    "scalar": ([2, 3], []),
    "scalar on the left": ([], [2, 3]),
    "scalars": ([], []),
    "no elements": ([2, 0, 3], [1, 1, 3]),
}

for name, ufunc in UFUNCS.items():
    for description, (left, right) in BROADCASTS.items():
        a, b = random(left, 1), random(right, 2)
        if name == "div":
            b = Tensor(np.where(b.value == 0, np.float32(0.5), b.value).astype(np.float32))
        case("binary", f"{name} {description}", f"{name}(a, b)", {"a": a, "b": b}, {}, [ufunc(a.value, b.value)], tolerance=0)

a, b, c = random([2, 3, 1, 5], 1), random([3, 4, 1], 2), random([5], 3)
case("binary", "add three operands", "add(a, b, c)", {"a": a, "b": b, "c": c}, {}, [(a.value + b.value) + c.value], tolerance=0)
case("binary", "sub from left to right", "sub(a, b, c)", {"a": a, "b": b, "c": c}, {}, [(a.value - b.value) - c.value], tolerance=0)
case("binary", "max of three operands", "max(a, b, c)", {"a": a, "b": b, "c": c}, {}, [np.maximum(np.maximum(a.value, b.value), c.value)], tolerance=0)

SPECIAL = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, 3e38], np.float32)
left, right = Tensor(np.repeat(SPECIAL, SPECIAL.size)), Tensor(np.tile(SPECIAL, SPECIAL.size))
with np.errstate(all="ignore"):
    for name, ufunc in UFUNCS.items():
        case("binary", f"{name} of special numbers", f"{name}(a, b)", {"a": left, "b": right}, {}, [ufunc(left.value, right.value)], tolerance=0)
    case("binary", "pow of special numbers", "pow(a, b)", {"a": left, "b": right}, {}, [np.power(left.value, right.value)], tolerance=0)
    base, exponent = Tensor(np.abs(random([3, 7], 5).value) + np.float32(0.1)), random([7], 6)
    case("binary", "pow", "pow(a, b)", {"a": base, "b": exponent}, {}, [np.power(base.value, exponent.value)], tolerance=1e-6)
    for type in ("i8", "u8", "i16", "i32", "u32", "i64"):
        numpy_type = random([1], 1, type).value.dtype
        limits = np.iinfo(numpy_type)
        edge = [0, 1, 7, limits.max, limits.max - 6] + ([limits.min, limits.min + 5, -1, -7] if limits.min < 0 else [100, 200])
        if type == "i64":
            edge = [0, 1, 7, -1, -7, 2**40, -(2**40)]
        x, y = Tensor(np.repeat(np.array(edge, numpy_type), len(edge))), Tensor(np.tile(np.array(edge, numpy_type), len(edge)))
        for name in ("add", "sub", "mul", "min", "max"):
            if type == "i64" and name == "mul":
                continue  # the file's numbers are doubles
            case("binary", f"{name} of {type} wraps", f"{name}(a, b)", {"a": x, "b": y}, {}, [UFUNCS[name](x.value, y.value)], tolerance=0)
        # Truncated, and 0 for a divisor of 0; the least integer by -1 wraps.
        wide_x, wide_y = [int(v) for v in x.value], [int(v) for v in y.value]
        quotient = [0 if q == 0 else (abs(p) // abs(q)) * (1 if (p < 0) == (q < 0) else -1) for p, q in zip(wide_x, wide_y)]
        bits = limits.bits
        wrapped = np.array([q % 2**bits for q in quotient], np.uint64).astype(np.dtype(f"uint{bits}")).view(numpy_type)
        case("binary", f"div of {type} truncates", "div(a, b)", {"a": x, "b": y}, {}, [wrapped], tolerance=0)

x = random([2, 3, 4], 1, "f64")
y = random([4], 2, "f64")
case("binary", "mul of f64", "mul(a, b)", {"a": x, "b": y}, {}, [x.value * y.value], tolerance=0)
x, y = random([2, 3, 4], 1, "f16"), random([4], 2, "f16")
case("binary", "add of f16", "add(a, b)", {"a": x, "b": y}, {}, [x.value + y.value], tolerance=0)

wide = Tensor(np.concatenate([np.linspace(-12, 12, 97), [0.0, -0.0, 1e-6, -1e-6, 30, -30, 88, -88, 100, -100]]).astype(np.float32).reshape(1, 107))
ACTIVATIONS = {
    "relu": ("Relu", {}, "relu(x)"),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}, "leaky_relu(x)"),
    "leaky_relu with slope": ("LeakyRelu", {"alpha": 0.25}, "leaky_relu(x, slope=0.25)"),
    "elu": ("Elu", {"alpha": 1.0}, "elu(x)"),
    "elu with alpha": ("Elu", {"alpha": 0.5}, "elu(x, alpha=0.5)"),
    "selu": ("Selu", {}, "selu(x)"),
    "gelu": ("Gelu", {"approximate": "none"}, "gelu(x)"),
    "gelu by tanh": ("Gelu", {"approximate": "tanh"}, "gelu(x, approximate=tanh)"),
    "sigmoid": ("Sigmoid", {}, "sigmoid(x)"),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, "hard_sigmoid(x)"),
    "hard_sigmoid as onnx": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}, "hard_sigmoid(x, alpha=0.2)"),
    "hard_swish": ("HardSwish", {}, "hard_swish(x)"),
    "mish": ("Mish", {}, "mish(x)"),
    "tanh": ("Tanh", {}, "tanh(x)"),
    "softplus": ("Softplus", {}, "softplus(x)"),
    "exp": ("Exp", {}, "exp(x)"),
    "erf": ("Erf", {}, "erf(x)"),
    "abs": ("Abs", {}, "abs(x)"),
    "neg": ("Neg", {}, "neg(x)"),
    "floor": ("Floor", {}, "floor(x)"),
    "ceil": ("Ceil", {}, "ceil(x)"),
    "round": ("Round", {}, "round(x)"),
    "sign": ("Sign", {}, "sign(x)"),
}
for name, (operator, attributes, statement) in ACTIVATIONS.items():
    for description, x in [("from -12 to 12", wide)] + [(d, random(shape, 4)) for d, shape in SHAPES.items() if d in ("one element", "picture")]:
        if name == "exp" and x is wide:
            x = Tensor(np.minimum(wide.value, 12))
        expected = onnx_runtime(operator, [x.value], opset=20, **attributes)
        case("activations", f"{name} {description}", statement, {"x": x}, {}, expected, tolerance=1e-6)

case("activations", "relu6", "relu6(x)", {"x": wide}, {}, [np.clip(wide.value, 0, 6)], tolerance=0)
case("activations", "silu", "silu(x)", {"x": wide}, {}, [(wide.value.astype(np.float64) / (1 + np.exp(-wide.value.astype(np.float64)))).astype(np.float32)], tolerance=1e-6)
case("activations", "clip", "clip(x, min=-0.5, max=2)", {"x": wide}, {}, [np.clip(wide.value, np.float32(-0.5), np.float32(2))], tolerance=0)
case("activations", "clip below only", "clip(x, min=-0.5)", {"x": wide}, {}, [np.maximum(wide.value, np.float32(-0.5))], tolerance=0)
case("activations", "clip of nothing", "clip(x)", {"x": wide}, {}, [wide.value], tolerance=0)
integers = random([3, 7], 1, "i8")
case("activations", "clip of i8", "clip(x, min=20, max=50)", {"x": integers}, {}, [np.clip(integers.value, 20, 50)], tolerance=0)
case("activations", "clip of i8 beyond its range", "clip(x, min=-1000, max=50.5)", {"x": integers}, {}, [np.minimum(integers.value, 50)], tolerance=0)
case("activations", "clip of i8 without bounds", "clip(x, min=-inf, max=inf)", {"x": integers}, {}, [integers.value], tolerance=0)
positive = Tensor(np.abs(wide.value) + np.float32(1e-3))
case("activations", "log", "log(x)", {"x": positive}, {}, [np.log(positive.value.astype(np.float64)).astype(np.float32)], tolerance=1e-6)
case("activations", "sqrt", "sqrt(x)", {"x": positive}, {}, [np.sqrt(positive.value)], tolerance=0)
case("activations", "reciprocal", "reciprocal(x)", {"x": positive}, {}, [np.float32(1) / positive.value], tolerance=0)

double = random([2, 3, 7], 1, "f64")
for name, function in {"exp": np.exp, "tanh": np.tanh, "softplus": lambda v: np.logaddexp(0, v), "elu": lambda v: np.where(v < 0, np.expm1(v), v),
                       "sigmoid": lambda v: 1 / (1 + np.exp(-v)), "log": None, "erf": None}.items():
    operand = Tensor(np.abs(double.value) + 0.1) if name == "log" else double
    expected = np.log(operand.value) if name == "log" else np.vectorize(math.erf)(operand.value) if name == "erf" else function(operand.value)
    case("activations", f"{name} of f64", f"{name}(x)", {"x": operand}, {}, [expected], tolerance=1e-15)

# What is infinite or no number: limits, and NaN stays.
special = Tensor(np.array([[np.inf, -np.inf, np.nan, 1e30, -1e30]], np.float32))
with np.errstate(all="ignore"):
    LIMITS = {
        "relu": [np.inf, 0, np.nan, 1e30, 0], "relu6": [6, 0, np.nan, 6, 0], "leaky_relu": [np.inf, -np.inf, np.nan, 1e30, -1e28],
        "elu": [np.inf, -1, np.nan, 1e30, -1], "sigmoid": [1, 0, np.nan, 1, 0], "tanh": [1, -1, np.nan, 1, -1],
        "softplus": [np.inf, 0, np.nan, 1e30, 0], "hard_sigmoid": [1, 0, np.nan, 1, 0], "silu": [np.inf, np.nan, np.nan, 1e30, 0],
        "mish": [np.inf, np.nan, np.nan, 1e30, 0], "hard_swish": [np.inf, np.nan, np.nan, 1e30, 0], "exp": [np.inf, 0, np.nan, np.inf, 0],
        "erf": [1, -1, np.nan, 1, -1], "sqrt": [np.inf, np.nan, np.nan, 1e15, np.nan], "log": [np.inf, np.nan, np.nan, np.log(1e30), np.nan],
        "abs": [np.inf, np.inf, np.nan, 1e30, 1e30], "sign": [1, -1, np.nan, 1, -1], "neg": [-np.inf, np.inf, np.nan, -1e30, 1e30],
    }
for name, expected in LIMITS.items():
    tolerance = 0 if name in ("relu", "relu6", "sigmoid", "tanh", "erf", "elu", "abs", "sign", "neg") else 1e-6
    case("activations", f"limits of {name}", f"{name}(x)", {"x": special}, {}, [np.array([expected], np.float32)], tolerance=tolerance)

for description, shape in SHAPES.items():
    x, slope = random(shape, 1), random([shape[1]], 2)
    expected = np.where(x.value < 0, x.value * slope.value.reshape([-1] + [1] * (len(shape) - 2)), x.value)
    case("activations", f"prelu {description}", "prelu(x)", {"x": x}, {"weight": slope}, [expected], tolerance=0)
x, slope = random([2, 3, 5], 1), random([1], 2)
case("activations", "prelu shared", "prelu(x, shared=true)", {"x": x}, {"weight": slope}, [np.where(x.value < 0, x.value * slope.value, x.value)], tolerance=0)
slope = random([3, 1], 2)
case("activations", "prelu with an operand", "prelu(x, w)", {"x": x, "w": slope}, {}, onnx_runtime("PRelu", [x.value, slope.value]), tolerance=0)

# cast: as C truncates, but what does not fit saturates and NaN is 0.
reals = np.array([0.0, -0.0, 0.4, -0.6, 1.5, -1.5, 126.9, 127.0, 128.0, -128.9, -129.0, 255.5, 256.0, -1.0, 65535.9, 2147483520.0, 2147483648.0,
                  -2147483648.0, -2147483904.0, 4294967040.0, 4294967296.0, 1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)
for type in ("i8", "u8", "i16", "u16", "i32", "u32"):
    limits = np.iinfo(random([1], 1, type).value.dtype)
    expected = [0 if np.isnan(v) else int(min(max(np.trunc(np.float64(v)), limits.min), limits.max)) for v in reals]
    case("cast", f"f32 to {type}", f"cast(x, type={type})", {"x": Tensor(reals)}, {}, [np.array(expected, limits.dtype)], tolerance=0)
with np.errstate(all="ignore"):
    for type, numpy_type in {"f64": np.float64, "f16": np.float16, "bool": np.bool_}.items():
        case("cast", f"f32 to {type}", f"cast(x, type={type})", {"x": Tensor(reals)}, {}, [reals.astype(numpy_type)], tolerance=0)
    integers = np.array([0, 1, -1, 127, 128, -128, -129, 255, 256, 32768, 65536, 2147483647, -2147483648, 16777217], np.int32)
    for type, numpy_type in {"i8": np.int8, "u8": np.uint8, "i16": np.int16, "u32": np.uint32, "i64": np.int64, "u64": np.uint64, "f32": np.float32,
                             "bool": np.bool_}.items():
        if type == "u64":
            continue  # the file's numbers are doubles
        case("cast", f"i32 to {type}", f"cast(x, type={type})", {"x": Tensor(integers)}, {}, [integers.astype(numpy_type)], tolerance=0)
truth = random([5], 1, "bool")
case("cast", "bool to f32", "cast(x, type=f32)", {"x": truth}, {}, [truth.value.astype(np.float32)], tolerance=0)
half = random([5], 1, "f16")
case("cast", "f16 to f32", "cast(x, type=f32)", {"x": half}, {}, [half.value.astype(np.float32)], tolerance=0)

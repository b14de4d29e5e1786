"""Cases of trigonometric and hyperbolic functions, and of the activations that only ONNX has: NumPy in f64."""
import numpy as np
from make_references import Tensor, case, onnx_runtime, random

wide = np.concatenate([np.linspace(-12, 12, 97), [0.0, -0.0, 1e-6, 30, 85, -85, 1e4, 524287.5, -524289, 1e9, 1.1e20, -3e38]]).astype(np.float32)
unit = np.concatenate([np.linspace(-1, 1, 65), [1e-6, -1e-6, 0.999999, 1.0000001, -2]]).astype(np.float32)
beyond = np.concatenate([np.linspace(1, 3, 33), [1.0000001, 0.5, 100, 1e9, 3e38]]).astype(np.float32)
special = np.array([np.inf, -np.inf, np.nan], np.float32)
FUNCTIONS = {
    "sin": (np.sin, wide), "cos": (np.cos, wide), "tan": (np.tan, wide), "asin": (np.arcsin, unit), "acos": (np.arccos, unit), "atan": (np.arctan, wide),
    "sinh": (np.sinh, wide), "cosh": (np.cosh, wide), "asinh": (np.arcsinh, wide), "acosh": (np.arccosh, beyond), "atanh": (np.arctanh, unit),
}
for name, (function, operand) in FUNCTIONS.items():
    x = Tensor(np.concatenate([operand, special]))
    with np.errstate(all="ignore"):
        expected = function(x.value.astype(np.float64)).astype(np.float32)
    case("trigonometry", name, f"{name}(x)", {"x": x}, {}, [expected], tolerance=1e-6)
    x = random([2, 3], 1, "f64")
    x = Tensor(x.value + 2) if name == "acosh" else x
    case("trigonometry", f"{name} of f64", f"{name}(x)", {"x": x}, {}, [function(x.value)], tolerance=1e-15)

x = Tensor(np.linspace(-3, 3, 37).astype(np.float32).reshape(1, 37))
wide = x.value.astype(np.float64)
ACTIVATIONS = {
    "celu(x)": np.where(wide < 0, np.expm1(wide), wide),
    "celu(x, alpha=2)": np.where(wide < 0, 2 * np.expm1(wide / 2), wide),
    "selu(x, alpha=2, scale=3)": 3 * np.where(wide < 0, 2 * np.expm1(wide), wide),
    "shrink(x)": np.where(wide < -0.5, wide, np.where(wide > 0.5, wide, 0)),
    "shrink(x, bound=1.5, bias=0.25)": np.where(wide < -1.5, wide + 0.25, np.where(wide > 1.5, wide - 0.25, 0)),
    "softsign(x)": wide / (1 + np.abs(wide)),
    "swish(x, alpha=2)": wide / (1 + np.exp(-2 * wide)),
    "thresholded_relu(x)": np.where(wide > 1, wide, 0),
    "thresholded_relu(x, alpha=-0.5)": np.where(wide > -0.5, wide, 0),
}
for statement, expected in ACTIVATIONS.items():
    case("trigonometry", statement.replace("(x", " (x"), statement, {"x": x}, {}, [expected.astype(np.float32)], tolerance=1e-6)
integers = random([3, 7], 1, "i8")
case("trigonometry", "shrink of i8", "shrink(x, bound=30.5, bias=2)", {"x": integers}, {},
     [np.where(integers.value > 30, integers.value - 2, 0).astype(np.int8)], tolerance=0)
case("trigonometry", "selu of onnx", "selu(x)", {"x": x}, {}, onnx_runtime("Selu", [x.value]), tolerance=1e-6)

"""Cases of batch_norm, local_response_norm, layer_norm, group_norm, instance_norm, softmax, dense and matmul."""
import numpy as np

from make_references import Tensor, case, onnx_runtime, random


def batch_norm(description, extents, epsilon=None, type="f32"):
    x, weight, bias, mean = (random(e, s, type) for e, s in ((extents, 1), ([extents[1]], 2), ([extents[1]], 3), ([extents[1]], 4)))
    variance = Tensor(np.abs(random([extents[1]], 5, type).value) + np.array(0.25, x.value.dtype))
    attributes = {} if epsilon is None else {"epsilon": epsilon}
    expected = onnx_runtime("BatchNormalization", [t.value for t in (x, weight, bias, mean, variance)], **attributes)
    arguments = "" if epsilon is None else f", epsilon={epsilon}"
    case("batch_norm", description, f"batch_norm(x{arguments})", {"x": x},
         {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}, expected)


batch_norm("odd channels", [2, 19, 5, 3])
batch_norm("one element", [1, 1, 1, 1])
batch_norm("after dense", [3, 7])
batch_norm("audio with epsilon", [1, 5, 13], 0.001)
batch_norm("voxels", [1, 3, 2, 3, 4])
batch_norm("f64", [1, 3, 2, 3], type="f64")


def local_response_norm(description, extents, size, **options):
    x = random(extents, 6)
    alpha, beta, bias = options.get("alpha", 1e-4), options.get("beta", 0.75), options.get("bias", 1.0)
    squares = x.value.astype(np.float64) ** 2
    sums = [squares[:, max(0, c - (size - 1) // 2):c + size // 2 + 1].sum(axis=1) for c in range(extents[1])]
    expected = [(x.value / (bias + alpha / size * np.stack(sums, axis=1)) ** beta).astype(np.float32)]
    if size % 2:  # ONNX Runtime refuses even sizes
        assert np.allclose(onnx_runtime("LRN", [x.value], size=size, **options)[0], expected[0], rtol=1e-5)
    arguments = "".join(f", {name}={value}" for name, value in options.items())
    case("local_response_norm", description, f"local_response_norm(x, size={size}{arguments})", {"x": x}, {}, expected)


local_response_norm("as AlexNet", [1, 19, 3, 4], 5, alpha=1e-4, beta=0.75, bias=2.0)
local_response_norm("strong", [2, 7, 3, 2], 3, alpha=2.0, beta=0.5)
local_response_norm("other exponent", [1, 7, 3, 2], 5, alpha=1.5, beta=0.6)
local_response_norm("size 1", [1, 3, 2, 2], 1, alpha=1.0)
local_response_norm("more than all channels", [1, 3, 2, 2], 9, alpha=1.0)
local_response_norm("even size", [1, 9, 2, 2], 4, alpha=1.0)


def softmax(description, values, axis):
    x = values if isinstance(values, Tensor) else Tensor(values)
    argument = "" if axis == 1 else f", axis={axis}"
    for name, operator in (("softmax", "Softmax"), ("log_softmax", "LogSoftmax")):
        case("softmax", f"{name} {description}", f"{name}(x{argument})", {"x": x}, {}, onnx_runtime(operator, [x.value], axis=axis), tolerance=1e-6)


softmax("of classes", random([2, 101], 1), 1)
softmax("of channels", random([1, 5, 3, 4], 2), 1)
softmax("of the last axis", random([2, 3, 7], 3), -1)
softmax("of a vector", random([13], 4), 0)
softmax("of one class", random([3, 1], 5), 1)
softmax("of large numbers", np.array([[1000, 1001, 999], [-1000, -999, -3000], [0, -100, 88]], np.float32), 1)
softmax("with -inf", np.array([[0, -np.inf, 1, -np.inf]], np.float32), 1)
softmax("f64", random([2, 5], 6, "f64"), 1)


def layer_norm(description, extents, axis, epsilon=1e-5):
    x = random(extents, 1)
    shape = extents[axis:]
    weight, bias = random(shape, 2), random(shape, 3)
    expected = onnx_runtime("LayerNormalization", [x.value, weight.value, bias.value], axis=axis, epsilon=epsilon)
    arguments = ("" if axis == -1 else f", axis={axis}") + ("" if epsilon == 1e-5 else f", epsilon={epsilon}")
    case("normalization", f"layer_norm {description}", f"layer_norm(x{arguments})", {"x": x}, {"weight": weight, "bias": bias}, expected)


layer_norm("last axis", [2, 5, 17], -1)
layer_norm("all but the batch", [2, 3, 4, 5], 1, 0.01)
layer_norm("a vector", [7], -1)


def rms_norm(description, extents, axis, epsilon=1e-5):
    """In double: x / sqrt(mean of squares + epsilon)."""
    x, weight = random(extents, 1), random(extents[axis:], 2)
    wide = x.value.astype(np.float64)
    mean = (wide * wide).mean(axis=tuple(range(axis % len(extents), len(extents))), keepdims=True)
    expected = (wide / np.sqrt(mean + epsilon) * weight.value).astype(np.float32)
    arguments = ("" if axis == -1 else f", axis={axis}") + ("" if epsilon == 1e-5 else f", epsilon={epsilon}")
    case("normalization", f"rms_norm {description}", f"rms_norm(x{arguments})", {"x": x}, {"weight": weight}, [expected])


rms_norm("last axis", [2, 5, 17], -1)
rms_norm("all but the batch", [2, 3, 4, 5], 1, 0.01)


def normalized(x, groups, epsilon=1e-5):
    """In double: (x - mean) / sqrt(variance + epsilon) over the channels of a group."""
    rows = x.astype(np.float64).reshape(x.shape[0], groups, -1)
    mean, variance = rows.mean(axis=2, keepdims=True), rows.var(axis=2, keepdims=True)
    return ((rows - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)


def group_norm(description, extents, groups):
    x, weight, bias = random(extents, 1), random([extents[1]], 2), random([extents[1]], 3)
    per_channel = [1, -1] + [1] * (len(extents) - 2)
    expected = normalized(x.value, groups) * weight.value.reshape(per_channel) + bias.value.reshape(per_channel)
    case("normalization", f"group_norm {description}", f"group_norm(x, groups={groups})", {"x": x}, {"weight": weight, "bias": bias},
         [expected.astype(np.float32)])


group_norm("3 groups of 2", [2, 6, 5, 3], 3)
group_norm("one group", [1, 5, 7], 1)
group_norm("a channel each", [1, 3, 2, 3, 2], 3)


def instance_norm(description, extents):
    x, weight, bias = random(extents, 1), random([extents[1]], 2), random([extents[1]], 3)
    expected = onnx_runtime("InstanceNormalization", [x.value, weight.value, bias.value])
    case("normalization", f"instance_norm {description}", "instance_norm(x)", {"x": x}, {"weight": weight, "bias": bias}, expected)
    plain = normalized(x.value, extents[1]).astype(np.float32)
    case("normalization", f"instance_norm without weights {description}", "instance_norm(x, weight=false, bias=false)", {"x": x}, {}, [plain])


instance_norm("of pictures", [2, 5, 7, 3])
instance_norm("of audio", [1, 3, 31])


def dense(description, extents, units, bias=True, type="f32"):
    x, weight, shift = random(extents, 1, type), random([units, extents[-1]], 2, type), random([units], 3, type)
    expected = x.value.astype(np.float64) @ weight.value.astype(np.float64).T + (shift.value if bias else 0)
    if len(extents) == 2:
        other, = onnx_runtime("Gemm", [x.value, weight.value] + ([shift.value] if bias else []), transB=1)
        assert np.allclose(other, expected, atol=1e-5)
    case("dense", description, f"dense(x, units={units}{'' if bias else ', bias=false'})", {"x": x},
         {"weight": weight} | ({"bias": shift} if bias else {}), [expected.astype(x.value.dtype)])


dense("classes", [1, 37], 10)
dense("one feature one unit", [1, 1], 1)
dense("batch and odd units", [3, 64], 17, bias=False)
dense("last axis of a sequence", [2, 5, 13], 7)
dense("a vector", [11], 5)
dense("f64", [2, 7], 3, type="f64")


def matmul(description, left, right):
    a, b = random(left, 1), random(right, 2)
    case("matmul", description, "matmul(a, b)", {"a": a, "b": b}, {}, onnx_runtime("MatMul", [a.value, b.value]))


matmul("matrices", [5, 7], [7, 3])
matmul("extent 1", [1, 1], [1, 1])
matmul("row by matrix", [7], [7, 3])
matmul("matrix by column", [5, 7], [7])
matmul("batches", [2, 3, 5, 7], [2, 3, 7, 4])
matmul("broadcast batches", [3, 1, 5, 7], [2, 7, 4])
matmul("row by batches", [7], [2, 7, 4])


def in_f16():
    """f16 is computed in f32 and rounded once, at the end."""
    half = lambda extents, seed: random(extents, seed, "f16")
    wide = lambda tensor: tensor.value.astype(np.float32)
    x = half([2, 7], 1)
    for file, statement, expected, weights in (
            ("softmax", "softmax(x)", onnx_runtime("Softmax", [wide(x)], axis=1), {}),
            ("dense", "dense(x, units=3)", [wide(x) @ wide(half([3, 7], 2)).T + wide(half([3], 3))], {"weight": half([3, 7], 2), "bias": half([3], 3)}),
            ("normalization", "layer_norm(x)",
             onnx_runtime("LayerNormalization", [wide(x), wide(half([7], 2)), wide(half([7], 3))]), {"weight": half([7], 2), "bias": half([7], 3)}),
            ("batch_norm", "batch_norm(x, bias=false, running_var=2)",
             [(wide(x) - wide(half([7], 2))) / np.sqrt(np.float32(2) + np.float32(1e-5)) * wide(half([7], 3))],
             {"weight": half([7], 3), "running_mean": half([7], 2)}),
            ("local_response_norm", "local_response_norm(x, size=3, alpha=1)", onnx_runtime("LRN", [wide(x).reshape(2, 7, 1, 1)], size=3, alpha=1.0), {})):
        case(file, "f16", statement, {"x": x}, weights, [expected[0].reshape(x.value.shape if file != "dense" else (2, 3)).astype(np.float16)], 1e-3)
    pixels = half([1, 3, 4, 6], 4)
    for operator, name in (("AveragePool", "average"), ("MaxPool", "max")):
        answer, = onnx_runtime(operator, [wide(pixels)], kernel_shape=[3, 2], pads=[1, 0, 1, 0])
        case(f"{name}_pool", "f16", f"{name}_pool(x, kernel=3x2, stride=1, padding=[1, 0])", {"x": pixels}, {}, [answer.astype(np.float16)], 1e-3)


in_f16()

"""Cases of conv and depthwise, answered by ONNX Runtime's Conv."""
import numpy as np

from make_references import case, onnx_runtime, random


def pads(padding, rank):
    if isinstance(padding, int):
        return [padding] * (2 * rank)
    return list(padding) * 2 if len(padding) == rank else list(padding)


def conv(description, extents, filters, kernel, arguments="", bias=True, groups=1, auto_pad="NOTSET", padding=0, stride=1, dilation=1):
    rank = len(kernel)
    weight = random([filters, extents[1] // groups, *kernel], 2)
    shift = random([filters], 3) if bias else None
    x = random(extents, 1)
    attributes = dict(kernel_shape=list(kernel), strides=[stride] * rank if isinstance(stride, int) else list(stride),
                      dilations=[dilation] * rank if isinstance(dilation, int) else list(dilation), group=groups, auto_pad=auto_pad)
    if auto_pad == "NOTSET":
        attributes["pads"] = pads(padding, rank)
    expected = onnx_runtime("Conv", [x.value, weight.value] + ([shift.value] if bias else []), **attributes)
    text = "x".join(map(str, kernel)) if rank > 1 else str(kernel[0])
    if stride != 1:
        arguments += f", stride={stride if isinstance(stride, int) else list(stride)}"
    if dilation != 1:
        arguments += f", dilation={dilation if isinstance(dilation, int) else list(dilation)}"
    if auto_pad != "NOTSET":
        arguments += f", padding={ {'SAME_UPPER': 'same', 'SAME_LOWER': 'same_lower'}[auto_pad]}"
    elif padding != 0:
        arguments += f", padding={padding if isinstance(padding, int) else list(padding)}"
    if groups != 1:
        arguments += f", groups={groups}"
    if not bias:
        arguments += ", bias=false"
    weights = {"weight": weight} | ({"bias": shift} if bias else {})
    case("conv", description, f"conv(x, filters={filters}, kernel={text}{arguments})", {"x": x}, weights, expected)
    if groups == extents[1] and groups > 1:
        arguments = arguments.replace(f", groups={groups}", "") + (f", multiplier={filters // groups}" if filters != groups else "")
        case("depthwise", description, f"depthwise(x, kernel={text}{arguments})", {"x": x}, weights, expected)


conv("worked example 9x9x5 to 6x6x56", [1, 5, 9, 9], 56, [4, 4])
conv("everything of extent 1", [1, 1, 1, 1], 1, [1, 1])
conv("1x1 with batch and odd channels", [3, 17, 5, 7], 13, [1, 1])
conv("3x3 stride 2 on primes", [2, 3, 13, 11], 19, [3, 3], stride=2, padding=1)
conv("5x3 with different strides", [1, 4, 17, 9], 6, [5, 3], stride=(3, 2), bias=False)
conv("dilation 2 padding 2", [1, 7, 11, 11], 5, [3, 3], dilation=2, padding=2)
conv("dilation differs per dimension", [1, 2, 13, 12], 3, [3, 2], dilation=(1, 4))
conv("asymmetric padding", [1, 3, 6, 7], 4, [3, 3], padding=(0, 1, 2, 3))
conv("padding per dimension", [1, 3, 6, 7], 4, [3, 5], padding=(1, 2))
conv("same keeps odd cell at end", [1, 3, 8, 7], 4, [4, 2], auto_pad="SAME_UPPER")
conv("same lower", [1, 3, 8, 7], 4, [4, 2], auto_pad="SAME_LOWER")
conv("same with stride 2", [1, 3, 8, 11], 4, [3, 3], auto_pad="SAME_UPPER", stride=2)
conv("same with stride beyond kernel", [1, 2, 10, 7], 3, [1, 2], auto_pad="SAME_UPPER", stride=3)
conv("two groups", [1, 6, 7, 7], 10, [3, 3], groups=2, padding=1)
conv("depthwise", [2, 19, 7, 9], 19, [3, 3], groups=19, padding=1)
conv("depthwise with multiplier and stride", [1, 5, 9, 8], 15, [3, 3], groups=5, stride=2, padding=1, bias=False)
conv("depthwise of audio", [1, 6, 31], 6, [7], groups=6, padding=3, dilation=1)
conv("kernel covers operand", [2, 18, 5, 4], 33, [5, 4])
conv("padding wider than kernel", [1, 2, 3, 3], 2, [2, 2], padding=3)
conv("one dimension", [2, 5, 23], 7, [5], stride=2, padding=2)
conv("one dimension dilated causal", [1, 16, 37], 16, [3], dilation=4, padding=(8, 0))
conv("three dimensions", [1, 3, 5, 7, 6], 4, [2, 3, 3], padding=(0, 1, 1))
conv("three dimensions strided groups", [1, 4, 7, 6, 5], 8, [3, 3, 3], stride=(2, 2, 1), padding=1, groups=4)
conv("stem 7x7 stride 2", [1, 3, 17, 17], 16, [7, 7], stride=2, padding=3, bias=False)


def other_type(type, tolerance):
    """Inputs are exact in every type, so ONNX Runtime's answer in f32 holds for all."""
    x = random([1, 6, 7, 5], 1, type)
    weights = {"weight": random([4, 3, 3, 3], 2, type), "bias": random([4], 3, type)}
    wide = [tensor.value.astype(np.float32) for tensor in (x, weights["weight"], weights["bias"])]
    expected, = onnx_runtime("Conv", wide, kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2)
    case("conv", f"type {type}", "conv(x, filters=4, kernel=3, padding=1, groups=2)", {"x": x}, weights, [expected.astype(x.value.dtype)], tolerance)


other_type("f16", 1e-3)
other_type("f64", 1e-6)

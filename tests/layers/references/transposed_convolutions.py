"""Cases of conv_transpose, answered by ONNX Runtime's ConvTranspose."""
from make_references import case, onnx_runtime, random


def conv_transpose(description, extents, filters, kernel, bias=True, **options):
    rank = len(kernel)
    groups = options.get("groups", 1)
    x = random(extents, 1)
    weight = random([extents[1], filters // groups, *kernel], 2)
    weights = {"weight": weight} | ({"bias": random([filters], 3)} if bias else {})
    attributes, arguments = {"kernel_shape": list(kernel), "group": groups}, ""
    for name, attribute in (("stride", "strides"), ("dilation", "dilations"), ("output_padding", "output_padding")):
        if name in options:
            attributes[attribute] = [options[name]] * rank if isinstance(options[name], int) else options[name]
            arguments += f", {name}={options[name]}"
    padding = options.get("padding")
    if isinstance(padding, str):
        attributes["auto_pad"] = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}[padding]
    elif padding is not None:
        attributes["pads"] = [padding] * (2 * rank) if isinstance(padding, int) else padding
    if padding is not None:
        arguments += f", padding={padding}"
    if groups > 1:
        arguments += f", groups={groups}"
    if not bias:
        arguments += ", bias=false"
    text = "x".join(map(str, kernel)) if rank > 1 else str(kernel[0])
    expected = onnx_runtime("ConvTranspose", [x.value] + [tensor.value for tensor in weights.values()], **attributes)
    case("conv_transpose", description, f"conv_transpose(x, filters={filters}, kernel={text}{arguments})", {"x": x}, weights, expected)


conv_transpose("everything of extent 1", [1, 1, 1, 1], 1, [1, 1])
conv_transpose("stride 1", [1, 3, 5, 4], 7, [3, 3])
conv_transpose("doubling with 2x2", [2, 5, 4, 3], 3, [2, 2], stride=2)
conv_transpose("doubling with 4x4 padding 1", [1, 7, 5, 6], 5, [4, 4], stride=2, padding=1, bias=False)
conv_transpose("3x3 with output padding", [1, 4, 5, 3], 6, [3, 3], stride=2, padding=1, output_padding=1)
conv_transpose("gaps where stride exceeds kernel", [1, 2, 3, 4], 3, [2, 2], stride=3)
conv_transpose("dilation", [1, 3, 5, 4], 2, [3, 2], dilation=[2, 3])
conv_transpose("dilation and stride", [1, 3, 4, 5], 2, [3, 3], dilation=2, stride=3, padding=2)
conv_transpose("asymmetric padding", [1, 2, 5, 5], 3, [3, 4], stride=2, padding=[0, 1, 2, 1])
conv_transpose("same", [1, 2, 5, 4], 3, [3, 4], stride=2, padding="same")
conv_transpose("same lower", [1, 2, 5, 4], 3, [3, 4], stride=2, padding="same_lower")
conv_transpose("groups", [1, 6, 4, 5], 9, [3, 3], stride=2, groups=3)
conv_transpose("depthwise", [2, 5, 4, 3], 5, [4, 4], stride=2, padding=1, groups=5)
conv_transpose("one dimension", [1, 5, 11], 3, [5], stride=3, padding=1)
conv_transpose("three dimensions", [1, 2, 3, 2, 4], 3, [2, 3, 2], stride=2, padding=[0, 1, 0, 0, 1, 0])

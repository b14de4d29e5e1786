"""Cases of the pools. ONNX Runtime answers where it can; ceil with padding counts as PyTorch does, by plain loops in double."""
import itertools

import numpy as np

from make_references import Tensor, case, onnx_runtime, random


def window_cells(extents, kernel, stride, dilation, begin, end, ceil):
    """For each output cell of one dimension: the operand's cells inside, and how many lie in operand and padding."""
    span = (kernel - 1) * dilation + 1
    room = extents + begin + end - span
    count = room // stride + 1
    if ceil and room % stride and count * stride < extents + begin:
        count += 1
    cells = []
    for p in range(count):
        window = [p * stride - begin + k * dilation for k in range(kernel)]
        cells.append(([w for w in window if 0 <= w < extents], len([w for w in window if w < extents + end])))
    return cells


def pool(description, extents, kernel, values=None, which=("max", "average"), **options):
    rank = len(kernel)
    x = random(extents, 4) if values is None else Tensor(values)

    def each(name, default):
        value = options.get(name, default)
        return [value] * rank if isinstance(value, int) else list(value)

    stride, dilation = each("stride", kernel), each("dilation", 1)
    ceil, count_padding = options.get("ceil", False), options.get("count_padding", False)
    padding = options.get("padding", 0)
    if padding in ("same", "same_lower"):
        total = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in zip(extents[2:], kernel, stride, dilation)]
        less = [t // 2 for t in total]
        begin = less if padding == "same" else [t - l for t, l in zip(total, less)]
        end = [t - b for t, b in zip(total, begin)]
    else:
        both = [padding] * (2 * rank) if isinstance(padding, int) else list(padding)
        begin, end = both[:rank], both[rank:]

    cells = [window_cells(*c, ceil) for c in zip(extents[2:], kernel, stride, dilation, begin, end)]
    shape = [len(c) for c in cells]
    largest = np.full(extents[:2] + shape, -np.inf)
    mean = np.zeros(extents[:2] + shape)
    for p in itertools.product(*map(range, shape)):
        inside = np.ix_(range(extents[0]), range(extents[1]), *[cells[d][p[d]][0] for d in range(rank)])
        under = x.value[inside].astype(np.float64).reshape(extents[0], extents[1], -1)
        counted = int(np.prod([cells[d][p[d]][1] for d in range(rank)])) if count_padding else under.shape[2]
        if under.shape[2]:
            largest[(slice(None), slice(None)) + p] = under.max(axis=2)
            mean[(slice(None), slice(None)) + p] = under.sum(axis=2) / counted

    arguments = "".join(f", {name}={str(value).lower()}" for name, value in options.items())
    text = "x".join(map(str, kernel)) if rank > 1 else str(kernel[0])
    attributes = dict(kernel_shape=kernel, strides=stride, pads=begin + end, ceil_mode=int(ceil), dilations=dilation)
    answers = {"max": (largest, "MaxPool", {}), "average": (mean, "AveragePool", {"count_include_pad": int(count_padding)})}
    for kind in which:
        if kind == "max" and count_padding:
            continue
        answer, operator, more = answers[kind]
        expected = answer.astype(np.float32)
        # ONNX Runtime 1.24 divides by too little in the last windows of a dilated mean that counts padding.
        if not (kind == "average" and (ceil or (count_padding and max(dilation) > 1))):
            other, = onnx_runtime(operator, [x.value], **attributes, **more)
            assert other.shape == expected.shape, (description, other.shape, expected.shape)
            assert np.allclose(other, expected, atol=1e-6, equal_nan=True), description
        case(f"{kind}_pool", description, f"{kind}_pool(x, kernel={text}{arguments})", {"x": x}, {}, [expected],
             tolerance=0 if kind == "max" else 1e-6)


pool("kernel 2 takes its stride", [1, 3, 6, 8], [2, 2])
pool("extent 1", [1, 1, 1, 1], [1, 1])
pool("odd extents lose the rest", [2, 17, 7, 5], [2, 2])
pool("3x3 stride 2 padding 1", [1, 19, 11, 13], [3, 3], stride=2, padding=1)
pool("padding counts", [1, 5, 7, 6], [3, 3], stride=2, padding=1, count_padding=True)
pool("ceil", [1, 3, 6, 7], [3, 3], stride=2, ceil=True)
pool("ceil with padding", [1, 3, 6, 8], [3, 3], stride=2, padding=1, ceil=True)
pool("ceil with padding that counts", [1, 3, 6, 8], [3, 3], stride=2, padding=1, ceil=True, count_padding=True)
pool("same", [1, 3, 7, 8], [3, 2], stride=2, padding="same")
pool("same lower", [1, 3, 7, 8], [3, 2], stride=[1, 1], padding="same_lower")
pool("asymmetric padding", [1, 3, 5, 6], [3, 3], stride=1, padding=[0, 1, 2, 1])
pool("dilation", [1, 3, 9, 8], [3, 2], stride=1, dilation=[2, 3], padding=1)
pool("dilation that counts padding", [1, 3, 9, 8], [3, 3], stride=2, dilation=2, padding=[1, 0, 2, 1], count_padding=True)
pool("one dimension", [2, 5, 23], [4], stride=3, padding=1)
pool("three dimensions", [1, 3, 5, 4, 7], [2, 2, 3], stride=2, padding=1)
nan = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
nan[0, 0, 1, 1] = np.nan
nan[0, 0, 4, 4] = -np.inf


def special():
    """NaN and infinities: NumPy's maximum keeps NaN (ONNX Runtime's does not)."""
    view = np.lib.stride_tricks.sliding_window_view(nan, (2, 2), axis=(2, 3)).reshape(1, 1, 4, 4, 4)
    case("max_pool", "NaN stays", "max_pool(x, kernel=2, stride=1)", {"x": Tensor(nan)}, {}, [view.max(axis=4)], tolerance=0)
    low = np.full((1, 1, 3, 3), -np.inf, np.float32)
    case("max_pool", "padding is not above -inf", "max_pool(x, kernel=3, stride=1, padding=1)", {"x": Tensor(low)}, {}, [low], tolerance=0)
    for type, name in ((np.int8, "i8"), (np.uint8, "u8"), (np.float64, "f64")):
        x = random([1, 3, 5, 5], 9, name)
        expected = onnx_runtime("MaxPool", [x.value], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
        case("max_pool", f"type {name}", "max_pool(x, kernel=3, stride=2, padding=1)", {"x": x}, {}, expected, tolerance=0)


special()


def global_pool(description, extents):
    x = random(extents, 5)
    for kind, operator in (("average", "GlobalAveragePool"), ("max", "GlobalMaxPool")):
        case("global_pool", f"{kind} {description}", f"global_{kind}_pool(x)", {"x": x}, {}, onnx_runtime(operator, [x.value]), tolerance=1e-6)


global_pool("of 7x7", [2, 19, 7, 7])
global_pool("of one pixel", [1, 5, 1, 1])
global_pool("of audio", [1, 3, 101])
global_pool("of voxels", [1, 2, 3, 5, 4])

"""Cases of quantize_linear, dequantize_linear, dynamic_quantize_linear, products of integers, einsum, det and deform_conv."""
import numpy as np

from make_references import Tensor, case, onnx_runtime, random


def scalar(value, numpy_type=np.float32):
    return Tensor(np.array(value, numpy_type))


def quantize(description, x, scale, zero_point=None, **attributes):
    operands = {"x": x, "y_scale": scale} | ({} if zero_point is None else {"y_zero_point": zero_point})
    expected = onnx_runtime("QuantizeLinear", [t.value for t in operands.values()], opset=21, **attributes)
    arguments = "".join(f", {name}={value}" for name, value in attributes.items())
    case("quantize", f"quantize_linear {description}", f"quantize_linear({', '.join(operands)}{arguments})", operands, {}, expected, 0)


def dequantize(description, x, scale, zero_point=None, **attributes):
    operands = {"x": x, "x_scale": scale} | ({} if zero_point is None else {"x_zero_point": zero_point})
    expected = onnx_runtime("DequantizeLinear", [t.value for t in operands.values()], opset=21, **attributes)
    arguments = "".join(f", {name}={value}" for name, value in attributes.items())
    case("quantize", f"dequantize_linear {description}", f"dequantize_linear({', '.join(operands)}{arguments})", operands, {}, expected, 1e-6)


TIES = Tensor(np.array([-1e9, -300.5, -2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 127.4, 254.5, 1e9, np.inf, -np.inf], np.float32))
for name, zero_point in (("u8", np.uint8(128)), ("i8", np.int8(-5)), ("u16", np.uint16(32767)), ("i16", np.int16(7))):
    quantize(f"ties and bounds of {name}", TIES, scalar(1), Tensor(zero_point))
quantize("each channel", random([2, 19, 3, 3], 1), Tensor(np.linspace(0.005, 0.02, 19, dtype=np.float32)), random([19], 2, "i8"))
quantize("each row", random([3, 17], 3), Tensor(np.array([0.01, 0.02, 0.005], np.float32)), random([3], 4, "u8"), axis=0)
quantize("in blocks, no zero point", random([2, 9], 5), Tensor(np.array([[0.01, 0.02, 0.03], [0.04, 0.05, 0.06]], np.float32)), axis=1, block_size=3)
dequantize("of u8", random([3, 7], 6, "u8"), scalar(0.3), scalar(128, np.uint8))
dequantize("each channel", random([2, 19, 3, 3], 7, "i8"), Tensor(np.linspace(0.005, 0.02, 19, dtype=np.float32)), random([19], 8, "i8"))
dequantize("of i32", random([5], 9, "i32"), scalar(0.3))


def dynamic(description, x):
    case("quantize", f"dynamic_quantize_linear {description}", "dynamic_quantize_linear(x)", {"x": x}, {},
         onnx_runtime("DynamicQuantizeLinear", [x.value], outputs=3), 1e-6)


dynamic("both signs", random([3, 7], 10))
dynamic("far from 0", Tensor(random([2, 9], 11).value + 5))
dynamic("zeros", Tensor(np.zeros([2, 3], np.float32)))


def products(description, type, left, right):
    a, b = random(left, 1, type), random(right, 2, type)
    case("matmul", description, "matmul(a, b)", {"a": a, "b": b}, {}, [np.matmul(a.value, b.value)], 0)


products("i32", "i32", [5, 7], [7, 19])
products("u64", "u64", [2, 3, 5], [5, 4])
wide = Tensor(np.array([[2**31 - 1, 2], [-2**31, 7]], np.int32))
case("matmul", "i32 wraps", "matmul(a, b)", {"a": wide, "b": wide}, {}, [np.matmul(wide.value, wide.value)], 0)


def einsum(description, equation, *extents, type="f32"):
    operands = {name: random(e, i + 1, type) for i, (name, e) in enumerate(zip("abc", extents))}
    expected = np.einsum(equation, *[t.value for t in operands.values()])
    case("einsum", description, f'einsum({", ".join(operands)}, equation="{equation}")', operands, {}, [np.array(expected)], 1e-5)


einsum("matrices", "ij,jk->ik", [5, 7], [7, 19])
einsum("heads of attention", "bhqd,bhkd->bhqk", [1, 2, 3, 5], [1, 2, 4, 5])
einsum("broadcast batches", "...ij,...jk->...ik", [2, 1, 3, 4], [3, 4, 5])
einsum("a diagonal", "...ii->...i", [2, 5, 5])
einsum("a trace", "ii", [5, 5])
einsum("letters in order", "ba", [3, 4])
einsum("three operands", "i,ij,j->", [3], [3, 4], [4])
einsum("outer of i32", "i,j->ij", [3], [17], type="i32")


def det(description, matrix):
    case("det", description, "det(x)", {"x": matrix}, {}, [np.array(np.linalg.det(matrix.value.astype(np.float64)), matrix.value.dtype)], 1e-5)


det("2x2", random([3, 2, 2], 1))
det("one number", random([1, 1], 2))
det("5x5 of a batch", random([2, 3, 5, 5], 3))
det("rows exchanged", Tensor(np.array([[0, 1, 0], [0, 0, 1], [2, 0, 0]], np.float32)))
det("singular", Tensor(np.array([[1, 2, 3], [2, 4, 6], [1, 0, 1]], np.float32)))
det("f64", random([4, 4], 4, "f64"))


def deform_conv(description, extents, filters, kernel, groups=1, offset_group=1, padding=0, stride=1, with_mask=False):
    """By loops, in double."""
    batch, channels, height, width = extents
    rows, columns = ((size + 2 * padding - k) // stride + 1 for size, k in zip((height, width), kernel))
    cells = kernel[0] * kernel[1]
    x, weight = random(extents, 1), random([filters, channels // groups, *kernel], 2)
    offset = Tensor(random([batch, offset_group * cells * 2, rows, columns], 3).value * np.float32(3))
    bias, mask = random([filters], 4), random([batch, offset_group * cells, rows, columns], 5)

    def sample(plane, i, j):
        total = 0.0
        for u in (int(np.floor(i)), int(np.floor(i)) + 1):
            for v in (int(np.floor(j)), int(np.floor(j)) + 1):
                if 0 <= u < height and 0 <= v < width:
                    total += float(plane[u, v]) * (1 - abs(i - u)) * (1 - abs(j - v))
        return total

    y = np.zeros([batch, filters, rows, columns])
    for n, o, p, q in np.ndindex(*y.shape):
        y[n, o, p, q] = bias.value[o] if with_mask else 0
        for c in range(channels // groups):
            channel = o // (filters // groups) * (channels // groups) + c
            for i, j in np.ndindex(*kernel):
                cell = channel // (channels // offset_group) * cells + i * kernel[1] + j
                down, right = (float(offset.value[n, 2 * cell + d, p, q]) for d in range(2))
                seen = sample(x.value[n, channel], p * stride + i - padding + down, q * stride + j - padding + right)
                y[n, o, p, q] += float(weight.value[o, c, i, j]) * seen * (float(mask.value[n, cell, p, q]) if with_mask else 1)
    arguments = f"stride={stride}, padding={padding}, groups={groups}, offset_group={offset_group}"
    operands = {"x": x, "weight": weight, "offset": offset} | ({"bias": bias, "mask": mask} if with_mask else {})
    case("deform_conv", description, f"deform_conv({', '.join(operands)}, {arguments})", operands, {}, [y.astype(np.float32)])


deform_conv("3x3", [1, 2, 5, 6], 3, [3, 3], padding=1)
deform_conv("groups, mask and bias", [2, 4, 4, 5], 6, [2, 3], groups=2, offset_group=2, padding=1, stride=2, with_mask=True)

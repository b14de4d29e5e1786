"""Cases of layers that move numbers (NumPy, ONNX Runtime), of resize (ONNX Runtime) and of reductions (NumPy in f64)."""
import numpy as np
from make_references import Tensor, case, onnx_runtime, random


def move(description, statement, inputs, expected):
    case("moves", description, statement, inputs, {}, expected if isinstance(expected, list) else [expected], tolerance=0)


def x_of(shape, type="f32"):
    return random(shape, 1, type)


x = x_of([2, 3, 5, 7])
v = x.value
move("identity", "identity(x)", {"x": x}, v)
move("dropout", "dropout(x, rate=0.3)", {"x": x}, v)
move("flatten", "flatten(x)", {"x": x}, v.reshape(2, -1))
move("flatten a vector", "flatten(x)", {"x": x_of([5])}, x_of([5]).value.reshape(5, 1))
move("reshape", "reshape(x, shape=[6, 35])", {"x": x}, v.reshape(6, 35))
move("reshape with the rest", "reshape(x, shape=[2, 5, -1])", {"x": x}, v.reshape(2, 5, 21))
move("reshape that keeps an extent", "reshape(x, shape=[0, -1, 3])", {"x": x}, v.reshape(2, 35, 3))
move("reshape across primes", "reshape(x, shape=[7, 5, 3, 2])", {"x": x}, v.reshape(7, 5, 3, 2))
move("reshape with extents of 1", "reshape(x, shape=[1, 2, 15, 1, 7])", {"x": x}, v.reshape(1, 2, 15, 1, 7))
move("reshape to a scalar", "reshape(x, shape=[])", {"x": x_of([1, 1])}, x_of([1, 1]).value.reshape(()))
move("reshape of nothing", "reshape(x, shape=[0, 6])", {"x": x_of([0, 2, 3])}, x_of([0, 2, 3]).value.reshape(0, 6))
move("reshape of i64", "reshape(x, shape=[3, 4])", {"x": x_of([2, 6], "i64")}, x_of([2, 6], "i64").value.reshape(3, 4))
thin = x_of([1, 3, 1, 5])
move("squeeze", "squeeze(x)", {"x": thin}, thin.value.squeeze())
move("squeeze one axis", "squeeze(x, axes=[-2])", {"x": thin}, thin.value.squeeze(2))
move("unsqueeze", "unsqueeze(x, axes=[0, -1])", {"x": x_of([3, 5])}, x_of([3, 5]).value.reshape(1, 3, 5, 1))

move("transpose", "transpose(x, order=[0, 2, 3, 1])", {"x": x}, v.transpose(0, 2, 3, 1))
move("transpose in full", "transpose(x)", {"x": x}, v.transpose())
move("transpose with negative axes", "transpose(x, order=[-1, 0, 2, 1])", {"x": x}, v.transpose(3, 0, 2, 1))
move("transpose of u8", "transpose(x)", {"x": x_of([3, 17], "u8")}, x_of([3, 17], "u8").value.T)
move("transpose of bool", "transpose(x)", {"x": x_of([3, 17], "bool")}, x_of([3, 17], "bool").value.T)

move("slice", "slice(x, begin=[0, 1, 2, 3], end=[1, 3, 4, 7])", {"x": x}, v[0:1, 1:3, 2:4, 3:7])
move("slice one axis", "slice(x, begin=1, end=4, axes=2)", {"x": x}, v[:, :, 1:4])
move("slice with steps", "slice(x, begin=[0, 1], end=[5, 7], step=[2, 3], axes=[2, 3])", {"x": x}, v[:, :, 0:5:2, 1:7:3])
move("slice from the end", "slice(x, begin=-3, end=-1, axes=-1)", {"x": x}, v[..., -3:-1])
move("slice beyond the end", "slice(x, begin=-100, end=9223372036854775807, axes=1)", {"x": x}, v)
move("slice backwards", "slice(x, begin=[-1, 3], end=[-9223372036854775807, 0], step=[-1, -2], axes=[3, 2])", {"x": x}, v[:, :, 3:0:-2, ::-1])
move("slice of nothing", "slice(x, begin=3, end=2, axes=3)", {"x": x}, v[..., 3:2])

a, b, c = random([2, 3, 5], 1), random([2, 1, 5], 2), random([2, 7, 5], 3)
move("concat", "concat(a, b, c)", {"a": a, "b": b, "c": c}, np.concatenate([a.value, b.value, c.value], 1))
move("concat of one", "concat(a)", {"a": a}, a.value)
move("concat on the last axis", "concat(a, b, axis=-1)", {"a": a, "b": random([2, 3, 4], 2)}, np.concatenate([a.value, random([2, 3, 4], 2).value], 2))
move("concat of batches", "concat(a, b, axis=0)", {"a": a, "b": random([1, 3, 5], 2)}, np.concatenate([a.value, random([1, 3, 5], 2).value], 0))
move("concat with nothing", "concat(a, b)", {"a": a, "b": random([2, 0, 5], 2)}, a.value)
move("concat of i16", "concat(a, b)", {"a": x_of([1, 2], "i16"), "b": x_of([1, 3], "i16")},
     np.concatenate([x_of([1, 2], "i16").value, x_of([1, 3], "i16").value], 1))

six = x_of([2, 6, 5])
move("split", "split(x, parts=3)", {"x": six}, np.split(six.value, 3, 1))
move("split by the number of results", "split(x, axis=0)", {"x": six}, np.split(six.value, 2, 0))
move("split with a shorter last part", "split(x, axis=2, parts=3)", {"x": six}, [six.value[..., 0:2], six.value[..., 2:4], six.value[..., 4:5]])
move("split with given extents", "split(x, parts=[1, 3, 2])", {"x": six}, [six.value[:, 0:1], six.value[:, 1:4], six.value[:, 4:6]])

picture = x_of([1, 2, 4, 5])
p = picture.value
move("pad", "pad(x, amount=1)", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (1, 1), (1, 1))))
move("pad with a value", "pad(x, amount=[1, 2], value=-3)", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (1, 1), (2, 2)), constant_values=-3))
move("pad with infinity", "pad(x, amount=1, value=-inf)", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf))
move("pad asymmetrically", "pad(x, amount=[0, 1, 2, 3])", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (0, 2), (1, 3))))
move("pad every dimension", "pad(x, amount=[1, 0, 2, 0, 0, 3, 0, 1])", {"x": picture}, np.pad(p, ((1, 0), (0, 3), (2, 0), (0, 1))))
move("pad by cutting", "pad(x, amount=[-1, 1, 2, -3])", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (0, 2), (1, 0)))[:, :, 1:, :-3])
move("pad reflect", "pad(x, amount=[3, 2, 1, 4], mode=reflect)", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (3, 1), (2, 4)), "reflect"))
move("pad edge", "pad(x, amount=[3, 2, 1, 9], mode=edge)", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (3, 1), (2, 9)), "edge"))
move("pad wrap", "pad(x, amount=[4, 2, 1, 5], mode=wrap)", {"x": picture}, np.pad(p, ((0, 0), (0, 0), (4, 1), (2, 5)), "wrap"))
move("pad audio", "pad(x, amount=[2, 1], mode=reflect)", {"x": x_of([1, 1, 3])}, np.pad(x_of([1, 1, 3]).value, ((0, 0), (0, 0), (2, 1)), "reflect"))
move("pad of i32", "pad(x, amount=[1, 0, 0, 1], value=7)", {"x": x_of([2, 3], "i32")}, np.pad(x_of([2, 3], "i32").value, ((1, 0), (0, 1)), constant_values=7))

deep = x_of([2, 12, 2, 3])
for mode in ("DCR", "CRD"):
    move(f"depth_to_space {mode}", f"depth_to_space(x, block=2, mode={mode})", {"x": deep}, onnx_runtime("DepthToSpace", [deep.value], blocksize=2, mode=mode))
wide = x_of([1, 3, 6, 9])
move("space_to_depth", "space_to_depth(x, block=3)", {"x": wide}, onnx_runtime("SpaceToDepth", [wide.value], blocksize=3))
b, c, h, w = wide.value.shape
unshuffled = wide.value.reshape(b, c, h // 3, 3, w // 3, 3).transpose(0, 1, 3, 5, 2, 4).reshape(b, c * 9, h // 3, w // 3)
move("space_to_depth CRD", "space_to_depth(x, block=3, mode=CRD)", {"x": wide}, unshuffled)
audio = x_of([1, 6, 5])
move("depth_to_space of audio", "depth_to_space(x, block=3)", {"x": audio}, audio.value.reshape(1, 3, 2, 5).transpose(0, 2, 3, 1).reshape(1, 2, 15))


def resize(description, shape, arguments, mode="nearest", scale=None, size=None, coordinates="half_pixel", rounding="round_prefer_floor", type="f32"):
    operand = x_of(shape, type)
    inputs = [operand.value, None, np.array([1, 1] + scale, np.float32) if scale else None]
    if size:
        inputs = [operand.value, None, None, np.array(shape[:2] + size, np.int64)]
    expected = onnx_runtime("Resize", inputs, mode=mode, coordinate_transformation_mode=coordinates, nearest_mode=rounding)
    case("resize", description, f"resize(x, {arguments})", {"x": operand}, {}, expected, tolerance=0 if mode == "nearest" else 1e-6)


resize("nearest twice", [1, 3, 2, 3], "scale=2", scale=[2, 2])
resize("nearest three and four times", [1, 2, 3, 5], "scale=[3, 4]", scale=[3, 4])
resize("nearest by half", [1, 2, 8, 6], "scale=0.5", scale=[0.5, 0.5])
resize("nearest of audio", [2, 3, 7], "scale=2.5", scale=[2.5])
resize("nearest of voxels", [1, 2, 2, 3, 2], "size=4x5x3", size=[4, 5, 3])
resize("nearest of u8", [1, 3, 4, 4], "size=7x9", size=[7, 9], type="u8")
for coordinates in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"):
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        extra = f", coordinate_transformation_mode={coordinates}, nearest_mode={rounding}"
        resize(f"nearest {coordinates} {rounding} up", [1, 1, 5, 4], f"size=13x8{extra}", size=[13, 8], coordinates=coordinates, rounding=rounding)
        resize(f"nearest {coordinates} {rounding} down", [1, 1, 11, 13], f"scale=[0.45, 0.3]{extra}", scale=[0.45, 0.3], coordinates=coordinates, rounding=rounding)
    extra = f", coordinate_transformation_mode={coordinates}"
    resize(f"linear {coordinates} up", [1, 2, 4, 3], f"size=9x7, mode=linear{extra}", "linear", size=[9, 7], coordinates=coordinates)
    resize(f"linear {coordinates} down", [1, 2, 9, 7], f"scale=[0.6, 0.5], mode=linear{extra}", "linear", scale=[0.6, 0.5], coordinates=coordinates)
    resize(f"linear {coordinates} to one cell", [1, 2, 5, 6], f"size=1x1, mode=linear{extra}", "linear", size=[1, 1], coordinates=coordinates)
resize("linear twice", [2, 5, 3, 4], "scale=2, mode=linear", "linear", scale=[2, 2])
resize("linear from one cell", [1, 3, 1, 1], "size=3x2, mode=linear", "linear", size=[3, 2])
resize("linear of audio", [1, 3, 6], "scale=1.5, mode=linear", "linear", scale=[1.5])
resize("linear of voxels", [1, 2, 2, 3, 4], "size=3x6x5, mode=linear", "linear", size=[3, 6, 5])

NUMPY = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}
for name, function in NUMPY.items():
    for description, shape, arguments, axes, keep in [
            ("everything", [2, 3, 5], "", None, True), ("pixels", [2, 19, 3, 5], ", axes=[2, 3]", (2, 3), True),
            ("pixels without dims", [2, 19, 3, 5], ", axes=[2, 3], keep_dims=false", (2, 3), False),
            ("channels", [2, 7, 4], ", axes=1", 1, True), ("last axis", [3, 17], ", axes=-1, keep_dims=false", -1, False),
            ("outer and inner axes", [3, 4, 5, 2], ", axes=[-1, 0], keep_dims=false", (0, 3), False), ("to a scalar", [3, 5], ", keep_dims=false", None, False),
            ("one element", [1, 1], "", None, True)]:
        operand = x_of(shape)
        expected = np.asarray(function(operand.value.astype(np.float64), axis=axes, keepdims=keep), np.float32)
        case("reductions", f"{name} {description}", f"reduce_{name}(x{arguments})", {"x": operand}, {}, [expected], tolerance=1e-6)
long = x_of([1, 2, 80, 80])
case("reductions", "mean of many", "reduce_mean(x, axes=[2, 3])", {"x": long}, {}, [np.mean(long.value.astype(np.float64), (2, 3), keepdims=True).astype(np.float32)], tolerance=1e-7)
integers = x_of([3, 50], "i8")
case("reductions", "sum of i8 wraps", "reduce_sum(x, axes=1)", {"x": integers}, {}, [np.sum(integers.value, 1, np.int8, keepdims=True)], tolerance=0)
case("reductions", "max of i8", "reduce_max(x, axes=1)", {"x": integers}, {}, [np.max(integers.value, 1, keepdims=True)], tolerance=0)
truth = x_of([3, 5], "bool")
case("reductions", "min of bool", "reduce_min(x, axes=1)", {"x": truth}, {}, [np.min(truth.value, 1, keepdims=True)], tolerance=0)
special = Tensor(np.array([[1, np.nan, 2], [np.nan, 1, 2], [1, 2, np.nan], [-np.inf, np.inf, 0]], np.float32))
for name in ("max", "min"):
    case("reductions", f"{name} keeps NaN", f"reduce_{name}(x, axes=1)", {"x": special}, {}, [NUMPY[name](special.value, 1, keepdims=True)], tolerance=0)
case("reductions", "sum of nothing", "reduce_sum(x, axes=1)", {"x": x_of([2, 0])}, {}, [np.zeros([2, 1], np.float32)], tolerance=0)

"""Cases of layers that pick or write elements by index, sample by a grid, put windows back, and of the less common pools (NumPy, ONNX Runtime)."""
import numpy as np
from make_references import Tensor, case, onnx_runtime, random


def check(description, statement, inputs, expected, tolerance=0.0):
    case("indexing", description, statement, inputs, {}, expected if isinstance(expected, list) else [expected], tolerance=tolerance)


def integers(numbers, type=np.int64):
    return Tensor(np.array(numbers, type))


x = random([3, 4, 5], 1)
v = x.value
i = integers([[-1, 0], [2, -3]])
for axis in range(3):
    check(f"gather axis {axis}", f"gather(x, i, axis={axis})", {"x": x, "i": i}, np.take(v, i.value, axis))
check("gather by one number", "gather(x, i, axis=-1)", {"x": x, "i": integers(-2)}, v[..., -2])
check("gather i32 indices of bool", "gather(x, i)", {"x": random([3, 17], 1, "bool"), "i": integers([2, -1], np.int32)}, random([3, 17], 1, "bool").value[[2, -1]])
check("gather clamps", "gather(x, i)", {"x": x, "i": integers([-(2**52), 2**52, -4, 3])}, v[[0, 2, 0, 2]])
i = integers(np.arange(24).reshape(3, 4, 2) % 9 - 5)
check("gather elements", "gather_elements(x, i, axis=2)", {"x": x, "i": i}, onnx_runtime("GatherElements", [v, np.clip(i.value, -5, 4)], axis=2))
i = integers([[0, -1], [2, 1], [-3, 3]])
check("gather nd", "gather_nd(x, i)", {"x": x, "i": i}, onnx_runtime("GatherND", [v, i.value]))
i = integers([[[0], [3]], [[-1], [1]], [[2], [2]]], np.int64)
check("gather nd in batches", "gather_nd(x, i, batch_dims=1)", {"x": x, "i": i}, onnx_runtime("GatherND", [v, i.value], batch_dims=1))

i = integers([[[0, 4, 1], [-1, 2, 2]]])
u = random([1, 2, 3], 2)
for reduction in ("none", "add", "mul", "max", "min"):
    duplicates = integers([[[0, 4, 0], [-1, 2, 2]]])
    check(f"scatter elements {reduction}", f"scatter_elements(x, i, u, axis=2, reduction={reduction})", {"x": x, "i": duplicates, "u": u},
          onnx_runtime("ScatterElements", [v, duplicates.value, u.value], axis=2, reduction=reduction), 1e-6)
    places = integers([[0, 1], [-1, 3], [0, 1]])
    slices = random([3, 5], 3)
    if reduction == "none":  # ONNX leaves the order open; here the last one stays
        places = integers([[0, 1], [-1, 3], [0, 2]])
    check(f"scatter nd {reduction}", f"scatter_nd(x, i, u, reduction={reduction})", {"x": x, "i": places, "u": slices},
          onnx_runtime("ScatterND", [v, places.value, slices.value], reduction=reduction), 1e-6)
outside = v.copy()
outside[2] = u.value[0, 1, 0]
check("scatter leaves out what is outside", "scatter_nd(x, i, u)", {"x": x, "i": integers([[3], [2], [-4]]), "u": Tensor(np.stack([v[0], outside[2], v[1]]))}, outside)
small = random([2, 3], 1, "u8")
check("scatter u8 wraps", "scatter_elements(x, i, u, reduction=add)", {"x": small, "i": integers([[0, 0, 1], [0, 1, 1]]), "u": Tensor(np.full([2, 3], 200, np.uint8))},
      onnx_runtime("ScatterElements", [small.value, np.array([[0, 0, 1], [0, 1, 1]]), np.full([2, 3], 200, np.uint8)], reduction="add"))

check("expand", "expand(x, shape=[2, 3, 4, 1])", {"x": random([3, 1, 5], 1)}, np.broadcast_to(random([3, 1, 5], 1).value, [2, 3, 4, 5]).copy())
check("tile", "tile(x, repeats=[2, 1, 3])", {"x": x}, np.tile(v, [2, 1, 3]))
values = Tensor(np.array([0.5, 3], np.float32))
i = integers([[0, 2], [-1, 7], [-4, -5]])
for axis in (0, -1):
    check(f"one hot axis {axis}", f"one_hot(x, v, depth=4, axis={axis})", {"x": i, "v": values}, onnx_runtime("OneHot", [i.value, np.array(4), values.value], axis=axis))
for upper in (0, 1):
    for diagonal in (-2, 0, 3):
        word = "true" if upper else "false"
        check(f"trilu {word} {diagonal}", f"trilu(x, upper={word}, diagonal={diagonal})", {"x": x}, onnx_runtime("Trilu", [v, np.array(diagonal)], upper=upper))
check("trilu at run time", "trilu(x, k, diagonal=1)", {"x": x, "k": integers(-2)}, np.triu(v, -1))
lengths = integers([3, 1, 2, 0])
reversed_rows = v.copy()
for b, length in enumerate(lengths.value):
    reversed_rows[:length, b] = v[:length, b][::-1]
check("reverse sequence", "reverse_sequence(x, l)", {"x": x, "l": lengths}, reversed_rows)

picture, grid = random([2, 3, 5, 4], 1), Tensor(random([2, 3, 6, 2], 2).value * np.float32(1.5))
for mode in ("nearest", "linear", "cubic"):
    for padding in ("zeros", "border", "reflection"):
        for align in (0, 1):
            name = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}[mode]
            check(f"grid sample {mode} {padding} {align}", f"grid_sample(x, g, mode={mode}, padding={padding}, align_corners={'true' if align else 'false'})",
                  {"x": picture, "g": grid}, onnx_runtime("GridSample", [picture.value, grid.value], mode=name, padding_mode=padding, align_corners=align, opset=20), 1e-5)
voxels, grid = random([1, 2, 3, 4, 3], 1), Tensor(random([1, 2, 3, 2, 3], 2).value * np.float32(1.3))
check("grid sample of voxels", "grid_sample(x, g, padding=border)", {"x": voxels, "g": grid},
      onnx_runtime("GridSample", [voxels.value, grid.value], mode="linear", padding_mode="border", opset=20), 1e-5)
theta = random([2, 2, 3], 1)
check("affine grid", "affine_grid(t, size=[2, 3, 4, 5])", {"t": theta}, onnx_runtime("AffineGrid", [theta.value, np.array([2, 3, 4, 5])], opset=20), 1e-6)
theta = random([1, 3, 4], 1)
check("affine grid of voxels", "affine_grid(t, size=[1, 1, 2, 3, 4], align_corners=true)", {"t": theta},
      onnx_runtime("AffineGrid", [theta.value, np.array([1, 1, 2, 3, 4])], align_corners=1, opset=20), 1e-6)

columns = random([2, 12, 6], 1)
check("col2im", "col2im(x, image=[4, 5], block=3x2, stride=2, padding=[1, 0, 1, 1])", {"x": columns},
      onnx_runtime("Col2Im", [columns.value, np.array([4, 5]), np.array([3, 2])], strides=[2, 2], pads=[1, 0, 1, 1]), 1e-6)
columns = random([1, 6, 5], 1)
row = np.zeros([1, 2, 9], np.float32)  # ONNX Runtime mistakes the second channel
for k in range(3):
    row[:, :, 2 * k : 2 * k + 5] += columns.value.reshape(1, 2, 3, 5)[:, :, k]
check("col2im of a row", "col2im(x, image=9, block=3, dilation=2)", {"x": columns}, row, 1e-6)

pooled = random([2, 2, 5, 7], 1)
largest, where = onnx_runtime("MaxPool", [pooled.value], outputs=2, kernel_shape=[2, 3], strides=[2, 2], pads=[1, 0, 1, 1])
check("max pool indices", "max_pool_indices(x, kernel=2x3, stride=2, padding=[1, 0, 1, 1])", {"x": pooled}, where)
where = onnx_runtime("MaxPool", [pooled.value], outputs=2, kernel_shape=[2, 2], strides=[2, 2], storage_order=1)[1]
check("max pool indices column major", "max_pool_indices(x, kernel=2, column_major=true)", {"x": pooled}, where)
largest, where = onnx_runtime("MaxPool", [pooled.value], outputs=2, kernel_shape=[2, 2], strides=[2, 2])
check("max unpool", "max_unpool(x, i, shape=[2, 2, 5, 7])", {"x": Tensor(largest), "i": Tensor(where)},
      onnx_runtime("MaxUnpool", [largest, where, np.array([2, 2, 5, 7])], kernel_shape=[2, 2], strides=[2, 2]))
for p in (1, 2, 3):
    check(f"lp pool {p}", f"lp_pool(x, kernel=2x3, stride=2, padding=1, p={p})", {"x": pooled},
          onnx_runtime("LpPool", [pooled.value], kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 1, 1], p=p), 1e-5)
rois, batches = Tensor(np.array([[0, 0, 3, 4], [1.5, -2, 9, 3.25], [4, 4, 2, 2]], np.float32)), integers([1, 0, 1])
for mode in ("avg", "max"):
    for samples in (1, 2):
        for half in ("half_pixel", "output_half_pixel"):
            check(f"roi align {mode} {samples} {half}",
                  f"roi_align(x, r, b, height=2, width=3, samples={samples}, scale=0.8, mode={mode}, half_pixel={'true' if half == 'half_pixel' else 'false'})",
                  {"x": pooled, "r": rois, "b": batches},
                  onnx_runtime("RoiAlign", [pooled.value, rois.value, batches.value], mode=mode, output_height=2, output_width=3, sampling_ratio=samples,
                               spatial_scale=0.8, coordinate_transformation_mode=half), 1e-5)
# As many samples as a cell covers: regions smaller than a cell of x, with many samples a cell, far beyond x, and beside it.
rois, batches = Tensor(np.array([[0, 0, 3, 4], [1, 1, 1.25, 1.5], [-90, -70, 160, 140], [-200, 0, 60, 4], [9, 9, 20, 20], [4, 4, 2, 2]], np.float32)), \
    integers([1, 0, 1, 0, 0, 1])
for mode in ("avg", "max"):
    for half in ("half_pixel", "output_half_pixel"):
        check(f"roi align {mode} adaptive {half}",
              f"roi_align(x, r, b, height=2, width=3, samples=0, scale=0.8, mode={mode}, half_pixel={'true' if half == 'half_pixel' else 'false'})",
              {"x": pooled, "r": rois, "b": batches},
              onnx_runtime("RoiAlign", [pooled.value, rois.value, batches.value], mode=mode, output_height=2, output_width=3, sampling_ratio=0,
                           spatial_scale=0.8, coordinate_transformation_mode=half), 1e-5)
check("pad with an operand", "pad(x, f, amount=[1, 0, 0, 2])", {"x": random([2, 3], 1, "i64"), "f": integers(9007199254740993)},
      np.pad(random([2, 3], 1, "i64").value, ((1, 0), (0, 2)), constant_values=9007199254740993))

small = random([1, 2, 6, 5], 1)
for antialias, exclude, scale in [(0, 0, [1.7, 2.0]), (0, 1, [0.6, 0.8]), (0, 1, [2.5, 1.5])]:
    check(f"resize cubic {antialias} {exclude} {scale[0]}".replace(".", " "),
          f"resize(x, scale={scale}, mode=cubic, cubic_coeff_a=-0.5, antialias={'true' if antialias else 'false'}, exclude_outside={'true' if exclude else 'false'})",
          {"x": small}, onnx_runtime("Resize", [small.value, None, np.array([1, 1] + scale, np.float32)], mode="cubic", cubic_coeff_a=-0.5, antialias=antialias,
                                     exclude_outside=exclude), 1e-5)
for mode in ("nearest", "linear"):
    region = np.array([0.1, -0.2, 0.9, 1.1], np.float32)
    check(f"resize of a region {mode}", f"resize(x, r, size=4x7, mode={mode}, coordinate_transformation_mode=tf_crop_and_resize, extrapolation_value=9)",
          {"x": small, "r": Tensor(region)},
          onnx_runtime("Resize", [small.value, np.array([0, 0, 0.1, -0.2, 1, 1, 0.9, 1.1], np.float32), None, np.array([1, 2, 4, 7])], mode=mode,
                       coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.0), 1e-5)
# In the middle, where edges do not matter, antialiasing is the same everywhere; at the edge ONNX's reference repeats it.
ramp = Tensor(np.arange(12, dtype=np.float32).reshape(1, 1, 12))
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx import helper, TensorProto  # noqa: E402

for mode in ("linear", "cubic"):
    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode=mode, antialias=1)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None), helper.make_tensor_value_info("s", TensorProto.INT64, None)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    expected = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])).run(None, {"x": ramp.value, "s": np.array([1, 1, 5])})
    check(f"resize antialias {mode}", f"resize(x, size=5, mode={mode}, antialias=true)", {"x": ramp}, [np.asarray(expected[0], np.float32)], 1e-5)

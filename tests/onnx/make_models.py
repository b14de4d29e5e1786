"""Writes the small models of tests/onnx/data and the answers that ONNX Runtime gives to them.

Needs numpy, onnx 1.20 and onnxruntime. Answers are drawn with optimisations off. Run from this folder: python make_models.py
"""
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
F, I64 = TensorProto.FLOAT, TensorProto.INT64


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def weight(name, *shape):
    return tensor(name, (rng.integers(-64, 65, shape) / 64).astype(np.float32))


def value(name, shape, kind=F):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, nodes, inputs, outputs, tensors=(), feed=None, opset=17, check=True, **more):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(tensors))
    imports = [helper.make_opsetid("", opset)] + more.pop("imports", [])
    model = helper.make_model(graph, opset_imports=imports, ir_version=more.pop("ir_version", 9), producer_name="", **more)
    if check:
        onnx.checker.check_model(model, full_check=True)
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    if feed is None:
        return
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for output, array in zip(outputs, session.run(None, feed)):
        np.save(os.path.join(HERE, f"{name}.{output.name}.npy"), array)
    for key, array in feed.items():
        np.save(os.path.join(HERE, f"{name}.{key}.npy"), array)


def node(operation, inputs, outputs, **attributes):
    return helper.make_node(operation, inputs, outputs, **attributes)


def picture(*shape):
    return (rng.integers(-64, 65, shape) / 64).astype(np.float32)


# Weights named after modules, batch norm, a symbolic batch.
save("network", [
    node("Conv", ["x", "conv1.weight"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", ["c", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"], ["b"]),
    node("Relu", ["b"], ["/block/block.0/relu/Relu_output_0"]),
    node("MaxPool", ["/block/block.0/relu/Relu_output_0"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
    node("Flatten", ["p"], ["f"]),
    node("Gemm", ["f", "fc.weight", "fc.bias"], ["scores"], transB=1),
], [value("x", ["N", 3, 6, 6])], [value("scores", ["N", 5])], [
    weight("conv1.weight", 4, 3, 3, 3), weight("bn1.weight", 4), weight("bn1.bias", 4), weight("bn1.running_mean", 4),
    tensor("bn1.running_var", np.float32([0.5, 1, 1.5, 2])), weight("fc.weight", 5, 36), weight("fc.bias", 5),
], {"x": picture(2, 3, 6, 6)})

# What exporters write for x.view(x.shape[0], -1): shapes as tensors, with symbols.
save("shape_chain", [
    node("Shape", ["x"], ["shape"]),
    node("Gather", ["shape", "zero"], ["batch"], axis=0),
    node("Unsqueeze", ["batch", "axis0"], ["batch1"]),
    node("Mul", ["two", "three"], ["six"]),
    node("Concat", ["batch1", "minus_one", "six"], ["target"], axis=0),
    node("Reshape", ["x", "target"], ["y"]),
], [value("x", ["N", 3, "H", 4])], [value("y", ["N", "A", 6])], [
    tensor("zero", np.int64(0)), tensor("axis0", np.int64([0])), tensor("two", np.int64([2])), tensor("three", np.int64([3])),
    tensor("minus_one", np.int64([-1])),
], {"x": picture(2, 3, 2, 4)})

# Constant in every form that holds numbers.
save("constants", [
    node("Constant", [], ["a"], value=tensor("", np.float32([[1, 2], [3, 4]]))),
    node("Constant", [], ["b"], value_float=0.1),
    node("Constant", [], ["c"], value_floats=[0.5, 0.25]),
    node("Constant", [], ["d"], value_int=2),
    node("Constant", [], ["e"], value_ints=[2, 1]),
    node("Cast", ["d"], ["d_float"], to=F),
    node("Cast", ["e"], ["e_float"], to=F),
    node("Sum", ["x", "a", "b", "c", "d_float", "e_float"], ["y"]),
], [value("x", [2, 2])], [value("y", [2, 2])], [], {"x": picture(2, 2)})

# A function of the model's own with an attribute, calling another one.
scale = helper.make_function("local", "Scale", ["X"], ["Y"], [
    node("Constant", [], ["factor"]), node("Mul", ["X", "factor"], ["Y"]),
], [helper.make_opsetid("", 17)], ["amount"])
reference = scale.node[0].attribute.add()
reference.name, reference.ref_attr_name, reference.type = "value_float", "amount", onnx.AttributeProto.FLOAT
twice = helper.make_function("local", "Twice", ["X"], ["Y"], [
    helper.make_node("Scale", ["X"], ["T"], domain="local", amount=2.0), helper.make_node("Scale", ["T"], ["Y"], domain="local", amount=3.0),
], [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)])
save("functions", [
    helper.make_node("Twice", ["x"], ["t"], domain="local"), node("Relu", ["t"], ["r"]),
    helper.make_node("Scale", ["r"], ["y"], domain="local", amount=0.5),
], [value("x", [2, 3])], [value("y", [2, 3])], [], {"x": picture(2, 3)}, imports=[helper.make_opsetid("local", 1)], functions=[scale, twice])

# IR version 3: every initializer is an input, too.
w3 = weight("w", 3, 4)
save("ir3", [node("MatMul", ["x", "w"], ["y"])], [value("x", [2, 3]), value("w", [3, 4])], [value("y", [2, 4])], [w3], {"x": picture(2, 3)},
     opset=7, ir_version=3)

# One weight for two layers, once by way of Identity.
save("shared", [
    node("Identity", ["w"], ["same"]),
    node("Conv", ["x", "w"], ["a"], kernel_shape=[1, 1]),
    node("Conv", ["a", "same"], ["y"], kernel_shape=[1, 1]),
], [value("x", [1, 2, 3, 3])], [value("y", [1, 2, 3, 3])], [weight("w", 2, 2, 1, 1)], {"x": picture(1, 2, 3, 3)})

# A shape that is given at run time, unless --bind gives it before.
save("bind", [node("Reshape", ["x", "shape"], ["y"])], [value("x", [2, 6]), value("shape", [2], I64)], [value("y", [3, 4])], [],
     {"x": picture(2, 6), "shape": np.int64([3, 4])})

# The same without a declared result; then every kind of number that can be supposed from declared shapes.
save("late_undeclared", [node("Reshape", ["x", "shape"], ["y"])], [value("x", [2, 6]), value("shape", [2], I64)], [value("y", ["A", "B"])])
save("late_axes", [node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)], [value("x", [3, 3, 2]), value("axes", [1], I64)],
     [value("y", [3, 2])], [], {"x": picture(3, 3, 2), "axes": np.int64([-2])})
save("late_expand", [node("Expand", ["x", "shape"], ["y"])], [value("x", [3, 1]), value("shape", [2], I64)], [value("y", [3, 4])], [],
     {"x": picture(3, 1), "shape": np.int64([1, 4])})
save("late_slice", [node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])],
     [value("x", [5, 6]), value("starts", [2], I64), value("ends", [2], I64), value("axes", [2], I64), value("steps", [2], I64)],
     [value("y", [2, 3])], [],
     {"x": picture(5, 6), "starts": np.int64([-1, 1]), "ends": np.int64([-(2**63), 3]), "axes": np.int64([-1, 0]), "steps": np.int64([-2, 1])})
save("late_pad", [node("Pad", ["x", "pads", "fill"], ["y"])], [value("x", [2, 3]), value("pads", [4], I64), value("fill", [])],
     [value("y", [3, 4])], [], {"x": picture(2, 3), "pads": np.int64([1, -1, 0, 2]), "fill": np.array(7, np.float32)})

# Where ONNX is not Python: a backward slice from before the first element, a wrapped pad on one side and a cut on the other, means of integers.
save("backwards", [node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])], [value("x", [4, 3])], [value("y", [1, 3])], [
    tensor("starts", np.int64([-9])), tensor("ends", np.int64([-99])), tensor("axes", np.int64([0])), tensor("steps", np.int64([-2])),
], {"x": picture(4, 3)})
save("wrap_and_cut", [node("Pad", ["x", "pads"], ["y"], mode="wrap")], [value("x", [6])], [value("y", [8])],
     [tensor("pads", np.int64([-1, 3]))], {"x": picture(6)}, opset=19)
save("integer_mean", [node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)], [value("x", [2, 3], TensorProto.INT32)],
     [value("y", [2], TensorProto.INT32)], [tensor("axes", np.int64([1]))], {"x": np.int32([[1, 2, 5], [-1, -2, -5]])}, opset=18)

# A constant as large as the batch: in text it is of one batch.
save("batch_in_constant", [
    node("Shape", ["x"], ["shape"]),
    node("Slice", ["shape", "zero", "one", "zero"], ["batch"]),
    node("Concat", ["batch", "three"], ["wide"], axis=0),
    node("Expand", ["row", "wide"], ["rows"]),
    node("Mul", ["x", "rows"], ["y"]),
], [value("x", ["N", 3])], [value("y", ["N", 3])], [
    tensor("zero", np.int64([0])), tensor("one", np.int64([1])), tensor("three", np.int64([3])), tensor("row", np.float32([[1, 2, 3]])),
], {"x": picture(2, 3)})

# Shapes that do not fit, as damaged files have them.
save("bias_without_shape", [node("GRU", ["x", "w", "r", "b"], ["", "y"], hidden_size=5)],
     [value("x", [2, 3, 3]), value("w", [1, 15, 3]), value("r", [1, 15, 5]), value("b", [])], [value("y", [1, 3, 5])], check=False)
save("axes_beyond_rank", [node("Resize", ["x", "", "", "sizes"], ["y"], axes=[2, 3])], [value("x", []), value("sizes", [2], I64)],
     [value("y", [1, 1, 2, 3])], opset=19, check=False)

# Operators and domains that nobody has.
save("unsupported", [
    node("NonExistent", ["x"], ["a"], name="first"), node("NonExistent", ["a"], ["b"], name="second"),
    helper.make_node("Fancy", ["b"], ["c"], name="third", domain="com.example"), node("Relu", ["c"], ["y"]),
], [value("x", [2])], [value("y", [2])], check=False, imports=[helper.make_opsetid("com.example", 1)])
save("unsupported_attribute", [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], novelty=1)], [value("x", [1, 1, 4, 4])], [value("y", [1, 1, 3, 3])], check=False)
save("future", [node("Relu", ["x"], ["y"])], [value("x", [2])], [value("y", [2])], opset=999, check=False)

# Weights in a file beside the model; the tests move, cut and link that file.
external = tensor("w", np.arange(12, dtype=np.float32).reshape(3, 4))
external.ClearField("raw_data")
external.data_location = TensorProto.EXTERNAL
for key, text in (("location", "external.bin"), ("offset", "8"), ("length", "48")):
    entry = external.external_data.add()
    entry.key, entry.value = key, text
with open(os.path.join(HERE, "external.bin"), "wb") as file:
    file.write(b"\0" * 8 + np.arange(12, dtype=np.float32).tobytes())
save("external", [node("MatMul", ["x", "w"], ["y"])], [value("x", [2, 3])], [value("y", [2, 4])], [external], check=False)
np.save(os.path.join(HERE, "external.x.npy"), np.float32([[1, 0, 0], [0, 1, 1]]))
np.save(os.path.join(HERE, "external.y.npy"), np.float32([[0, 1, 2, 3], [12, 14, 16, 18]]))
external.external_data[0].value = "../external.bin"
save("external_outside", [node("MatMul", ["x", "w"], ["y"])], [value("x", [2, 3])], [value("y", [2, 4])], [external], check=False)

# Corners: an operand without elements before one with, slopes of few dimensions, a window over everything, NaN beside a threshold, statistics that are f32
# whatever x is.
save("empty_part", [node("Concat", ["x", "none", "some"], ["y"], axis=0)], [value("x", [2])], [value("y", [5])],
     [tensor("none", np.float32([])), tensor("some", np.float32([3, 4, 5]))], {"x": picture(2)})
save("prelu_of_rank_1", [node("PRelu", ["x", "slope"], ["y"])], [value("x", [4])], [value("y", [4])],
     [tensor("slope", np.float32([0.5, 2, -1, 3]))], {"x": np.float32([-1, -2, 3, -4])})
save("prelu_of_a_number", [node("PRelu", ["x", "slope"], ["y"])], [value("x", [])], [value("y", [])],
     [tensor("slope", np.float32(0.5))], {"x": np.array(-3, np.float32)})
save("global_lp_pool", [node("GlobalLpPool", ["x"], ["y"], p=1)], [value("x", [2, 3, 2, 4])], [value("y", [2, 3, 1, 1])], [],
     {"x": picture(2, 3, 2, 4)})
save("nan_is_not_more", [node("Shrink", ["x"], ["shrunk"], lambd=0.5, bias=0.25), node("ThresholdedRelu", ["x"], ["cut"], alpha=0.5)],
     [value("x", [5])], [value("shrunk", [5]), value("cut", [5])], [], {"x": np.float32([np.nan, np.inf, -np.inf, 0.25, 2])})
save("stashed_statistics", [node("LayerNormalization", ["x", "scale"], ["y", "mean", "deviation"])], [value("x", [2, 4], TensorProto.DOUBLE)],
     [value("y", [2, 4], TensorProto.DOUBLE), value("mean", [2, 1]), value("deviation", [2, 1])],
     [tensor("scale", np.float64([1, 2, 0.5, 1]))], {"x": picture(2, 4).astype(np.float64)})

# Control flow. The condition of the first is of shapes alone, as exporters write it; its branch reads a value of the graph around it, has a weight of
# its own and another If inside. Names inside of bodies are those of values outside.
def body(name, nodes, inputs, outputs, tensors=()):
    return helper.make_graph(nodes, name, inputs, outputs, list(tensors))


BOOL = TensorProto.BOOL
inner = [body("deep", [node("Mul", ["twice", "w"], ["deep"])], [], [value("deep", None)], [tensor("w", np.float32([3]))]),
         body("flat", [node("Neg", ["twice"], ["flat"])], [], [value("flat", None)])]
save("if_of_shape", [
    node("Shape", ["x"], ["shape"]), node("Size", ["shape"], ["rank"]), node("Equal", ["rank", "two"], ["is_matrix"]),
    node("Not", ["is_matrix"], ["is_other"]), node("Mul", ["x", "factor"], ["twice"]),
    node("If", ["is_matrix"], ["picked"],
         then_branch=body("then", [node("Add", ["twice", "w"], ["sum"]), node("If", ["is_other"], ["z"], then_branch=inner[1], else_branch=inner[0]),
                                   node("Add", ["sum", "z"], ["both"])], [], [value("both", None)], [tensor("w", np.float32([1, 2, 3]))]),
         else_branch=body("else", [node("Sub", ["twice", "w"], ["both"])], [], [value("both", None)], [tensor("w", np.float32([1]))])),
    node("Add", ["picked", "w"], ["y"]),
], [value("x", ["N", 3])], [value("y", ["N", 3])], [tensor("two", np.int64(2)), tensor("factor", np.float32([2])), tensor("w", np.float32([10]))],
    {"x": picture(2, 3)}, check=False)
save("if_at_run_time", [node("If", ["flag"], ["y"], then_branch=body("then", [node("Neg", ["x"], ["a"])], [], [value("a", [2])]),
                             else_branch=body("else", [node("Abs", ["x"], ["a"])], [], [value("a", [2])]))],
     [value("x", [2]), value("flag", [], BOOL)], [value("y", [2])])
save("if_unsupported", [node("If", ["flag"], ["y"], then_branch=body("then", [node("NonExistent", ["x"], ["a"], name="inside")], [], [value("a", [2])]),
                             else_branch=body("else", [node("Abs", ["x"], ["a"])], [], [value("a", [2])]))],
     [value("x", [2])], [value("y", [2])], [tensor("flag", np.array(True))], check=False)

save("if_without_condition", [node("If", [], ["y"], then_branch=inner[0], else_branch=inner[1])], [value("x", [2])], [value("y", [2])], check=False)
save("loop_of_another_body", [node("Loop", ["", "", "x"], ["y"], body=inner[0])], [value("x", [2])], [value("y", [2])], check=False)
step = body("step", [
    node("Cast", ["i"], ["number"], to=F), node("Add", ["state", "number"], ["moved"]), node("Mul", ["moved", "w"], ["next"]),
    node("Less", ["i", "limit"], ["again"]), node("Add", ["x", "next"], ["part"]),
], [value("i", [], I64), value("go", [], BOOL), value("state", [2])], [value("again", [], BOOL), value("next", [2]), value("part", [2])],
    [tensor("w", np.float32([0.5, 2]))])
counted = body("step", [node("Identity", ["go"], ["again"])] + [n for n in step.node if n.op_type != "Less"], list(step.input), list(step.output),
               list(step.initializer))
flag = tensor("go_on", np.array(True))
for name, what, turns, more in (("loop_counted", counted, np.int64(3), []), ("loop_until", step, np.int64(2**63 - 1), [tensor("limit", np.int64(2))])):
    save(name, [node("Loop", ["turns", "go_on", "x"], ["y", "parts"], body=what)], [value("x", [2])], [value("y", [2]), value("parts", ["T", 2])],
         [tensor("turns", turns), flag] + more, {"x": picture(2)})
endless = body("step", [node("Identity", ["go"], ["again"]), node("Identity", ["state"], ["next"])],
               [value("i", [], I64), value("go", [], BOOL), value("state", [2])], [value("again", [], BOOL), value("next", [2])])
save("loop_endless", [node("Loop", ["", "", "x"], ["y"], body=endless)], [value("x", [2])], [value("y", [2])])
save("loop_of_no_number", [node("Loop", ["turns", "", "x"], ["y"], body=endless)], [value("x", [2])], [value("y", [2])],
     [tensor("turns", np.int64([]))], check=False)
save("loop_at_run_time", [node("Loop", ["turns", "", "x"], ["y"], body=endless)], [value("x", [2]), value("turns", [], I64)], [value("y", [2])])

walk = body("walk", [node("Add", ["sum", "row"], ["next"]), node("Mul", ["next", "column"], ["part"]), node("Identity", ["next"], ["all"])],
            [value("sum", [3]), value("row", [3]), value("column", [3])], [value("next", [3]), value("part", [3]), value("all", [3])])
save("scan", [node("Scan", ["start", "x", "z"], ["last", "parts", "all"], body=walk, num_scan_inputs=2, scan_input_axes=[0, 1],
                   scan_input_directions=[0, 1], scan_output_axes=[1, 0], scan_output_directions=[1, 0])],
     [value("start", [3]), value("x", [4, 3]), value("z", [3, 4])], [value("last", [3]), value("parts", [3, 4]), value("all", [4, 3])], [],
     {"start": picture(3), "x": picture(4, 3), "z": picture(3, 4)})

# A size that a statement depends on.
save("size_in_statement", [node("Shape", ["x"], ["shape"]), node("ConstantOfShape", ["shape"], ["ones"], value=tensor("", np.float32([1]))),
                           node("Concat", ["x", "ones"], ["y"], axis=0)], [value("x", [1, "W"])], [value("y", [2, "W"])])

# A shape that is computed on before it is used: the file declares only what comes out.
save("late_computed", [node("Neg", ["shape"], ["minus"]), node("Neg", ["minus"], ["target"]), node("Concat", ["one", "target"], ["wide"], axis=0),
                       node("Reshape", ["x", "wide"], ["t"]), node("Squeeze", ["t", "zero"], ["y"])],
     [value("x", [2, 6]), value("shape", [2], I64)], [value("y", [3, 4])], [tensor("one", np.int64([1])), tensor("zero", np.int64([0]))],
     {"x": picture(2, 6), "shape": np.int64([3, 4])})

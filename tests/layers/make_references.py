#!/usr/bin/env python3
"""Writes tests/layers/data/*.json: what ONNX Runtime (or, where it has no such operator, NumPy) answers for each case.

Needs onnx, onnxruntime and numpy; the tests themselves do not:

    python3 -m venv /tmp/references && /tmp/references/bin/pip install onnx onnxruntime numpy
    /tmp/references/bin/python tests/layers/make_references.py [FILE...]

Inputs are not stored: `pattern` gives the same numbers here and in layer_harness.cpp.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

DATA = pathlib.Path(__file__).parent / "data"
TYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "u8": np.uint8, "i16": np.int16, "u16": np.uint16,
         "i32": np.int32, "u32": np.uint32, "i64": np.int64, "u64": np.uint64, "bool": np.bool_}
NAMES = {np.dtype(numpy_type): name for name, numpy_type in TYPES.items()}


def pattern(extents, seed, type="f32"):
    """Numbers that look random and are exact in every floating-point type; see layer_harness.h."""
    mask = 0xFFFFFFFF
    numbers = []
    for i in range(int(np.prod(extents, dtype=np.int64))):
        mixed = ((i + seed * 1000003) * 2654435761) & mask
        mixed ^= mixed >> 15
        mixed = (mixed * 2246822519) & mask
        mixed ^= mixed >> 13
        high = mixed >> 8
        numbers.append(high % 2 if type == "bool" else (high % 2049 - 1024) / 1024 if type in ("f16", "f32", "f64") else high % 101)
    return np.array(numbers, TYPES[type]).reshape(extents)


def onnx_runtime(operator, inputs, outputs=1, opset=19, **attributes):
    """The operator's answers; None stands for an optional input that is left out."""
    names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
    results = [f"o{i}" for i in range(outputs)]
    given = {name: value for name, value in zip(names, inputs) if value is not None}
    graph = helper.make_graph(
        [helper.make_node(operator, names, results, **attributes)], "case",
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape) for name, value in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in results])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    # Without optimisation: fused operators round differently.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(onnx.shape_inference.infer_shapes(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, given)


def number(value):
    """The shortest number that reads back as the same one of its type."""
    value = float(str(value)) if value.dtype.kind == "f" else value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    return int(value)


class Tensor:
    """A tensor with the way it is written in the file: by its seed, or number by number."""

    def __init__(self, value, seed=None):
        self.value = np.array(value, order="C")  # keeps a scalar a scalar
        self.seed = seed

    def json(self, name=None):
        entry = {} if name is None else {"name": name}
        entry["type"] = f"{NAMES[self.value.dtype]}{json.dumps(list(self.value.shape), separators=(',', ':'))}"
        if self.seed is not None:
            entry["seed"] = self.seed
        else:
            entry["values"] = [number(value) for value in self.value.flatten().astype(self.value.dtype)]
        return entry


def random(extents, seed, type="f32"):
    return Tensor(pattern(extents, seed, type), seed)


CASES = {}


def case(file, description, statement, inputs, weights, expected, tolerance=1e-5):
    """`inputs` and `weights` are dicts of Tensor, `expected` a list of arrays."""
    entry = {"description": description, "statement": statement, "inputs": [tensor.json(name) for name, tensor in inputs.items()]}
    if weights:
        entry["weights"] = [tensor.json(name) for name, tensor in weights.items()]
    entry["tolerance"] = tolerance
    entry["expected"] = [Tensor(value).json() for value in expected]
    CASES.setdefault(file, []).append(entry)


def write(files):
    DATA.mkdir(exist_ok=True)
    for file, cases in CASES.items():
        if files and file not in files:
            continue
        lines = []
        for entry in cases:
            text = json.dumps(entry)
            lines.append("  " + text)
        (DATA / f"{file}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
        print(file, len(cases), "cases")


if __name__ == "__main__":
    import importlib
    import os

    sys.modules["make_references"] = sys.modules["__main__"]
    sys.path.insert(0, os.path.dirname(__file__))
    for source in sorted((pathlib.Path(__file__).parent / "references").glob("*.py")):
        sys.path.insert(0, str(source.parent))
        importlib.import_module(source.stem)
    write(sys.argv[1:])

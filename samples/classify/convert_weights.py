#!/usr/bin/env python3
"""Writes the tensors of a PyTorch .pth state dict to a safetensors file, under the names they have. Needs nothing but Python.

    convert_weights.py MODEL.pth MODEL.safetensors

PyTorch's file is a pickle, so reading it could run code. This reader does not: it maps the four names a state dict needs to its own
functions and refuses every other. It reads the file layout that PyTorch wrote before version 1.6: five pickles (magic number, protocol,
machine, the dict itself, the storages' keys), then each storage as a count and its raw numbers. Integer tensors, such as the number of
batches a batch norm has seen, are left out: inference does not need them.
"""
import array
import collections
import json
import math
import pickle
import struct
import sys

MAGIC = 0x1950A86A20F9469CFC6C
# Storage class in the file -> (safetensors' type, bytes of one number).
TYPES = {"FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2), "DoubleStorage": ("F64", 8),
         "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1)}
CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}             # only moved, never computed with: unsigned words of that size
Tensor = collections.namedtuple("Tensor", "type size key offset shape strides")


def tensor(storage, offset, shape, strides, *_):
    """Stands for torch._utils._rebuild_tensor_v2: notes where the numbers lie."""
    kind, key = storage
    return Tensor(*TYPES[kind], key, offset, shape, strides)


def gather(numbers, offset, dims):
    """The numbers of a tensor in order, its last dimension fastest; `dims` holds (extent, stride) of the dimensions above extent one."""
    if not dims:
        return numbers[offset:offset + 1]
    (extent, stride), inner = dims[0], dims[1:]
    if not inner:
        return numbers[offset:offset + extent * stride:stride]
    result = numbers[:0]
    for i in range(extent):
        result += gather(numbers, offset + i * stride, inner)
    return result


class Reader(pickle.Unpickler):
    def find_class(self, module, name):
        known = {("collections", "OrderedDict"): collections.OrderedDict, ("torch._utils", "_rebuild_tensor_v2"): tensor}
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in TYPES:
            return name
        raise SystemExit(f"the file asks for {module}.{name}, which no plain state dict does; refusing to load it")

    def persistent_load(self, identity):
        kind, storage, key = identity[:3]
        if kind != "storage":
            raise SystemExit(f"unknown persistent object '{kind}'")
        return storage, key


def read(path):
    """The state dict of `path` as {name: (type, shape, bytes)}."""
    with open(path, "rb") as file:
        if file.read(2) == b"PK":
            raise SystemExit(f"{path} has the zip layout of PyTorch 1.6 and later; this script reads the earlier one")
        file.seek(0)
        if Reader(file).load() != MAGIC:
            raise SystemExit(f"{path} is no PyTorch file")
        _, _ = Reader(file).load(), Reader(file).load()
        state = Reader(file).load()
        keys = Reader(file).load()
        sizes = {value.key: value.size for value in state.values()}
        storages = {}
        for key in keys:
            count, = struct.unpack("<q", file.read(8))
            storages[key] = array.array(CODES[sizes[key]], file.read(count * sizes[key]))
    tensors = {}
    for name, value in state.items():
        dims = [(extent, stride) for extent, stride in zip(value.shape, value.strides) if extent != 1]
        numbers = gather(storages[value.key], value.offset, dims)
        if len(numbers) != math.prod(value.shape):
            raise SystemExit(f"{path} ends inside tensor {name}")
        tensors[name] = (value.type, value.shape, numbers.tobytes())
    return tensors


def write(path, tensors):
    """safetensors: the header's length, a JSON header, then all numbers without gaps; the header is padded so that they start aligned."""
    header, offset = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * ((-8 - len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for _, _, data in tensors.values():
            file.write(data)


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: convert_weights.py MODEL.pth MODEL.safetensors")
    tensors = {name: value for name, value in read(sys.argv[1]).items() if value[0] in ("F64", "F32", "F16", "BF16")}
    write(sys.argv[2], tensors)
    print(f"{len(tensors)} tensors, {sum(math.prod(shape) for _, shape, _ in tensors.values()):,} numbers -> {sys.argv[2]}")


if __name__ == "__main__":
    main()

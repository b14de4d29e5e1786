"""Writes tests/formats/data with NumPy and the safetensors package, so that our readers are held against other people's writers.

    pip install numpy ml_dtypes safetensors && python make_references.py

Element i of every array is i * 37 % 101 - 20, for unsigned types without the 20, for reals divided by 4, for bool its lowest bit.
"""
import pathlib

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent / "data"
TYPES = {"f64": "f8", "f32": "f4", "f16": "f2", "bf16": ml_dtypes.bfloat16, "i8": "i1", "u8": "u1", "i16": "i2", "u16": "u2",
         "i32": "i4", "u32": "u4", "i64": "i8", "u64": "u8", "bool": "?"}


def numbers(name, shape):
    i = np.arange(int(np.prod(shape)), dtype=np.int64) * 37 % 101
    if name == "bool":
        i = i & 1
    elif not name.startswith("u"):
        i = i - 20
    if name in ("f64", "f32", "f16", "bf16"):
        i = i / 4
    return i.reshape(shape).astype(TYPES[name])


def main():
    HERE.mkdir(exist_ok=True)
    for name in TYPES:
        np.save(HERE / f"{name}.npy", numbers(name, (2, 3)))
    np.save(HERE / "scalar.npy", numbers("f32", ()))
    np.save(HERE / "vector.npy", numbers("f32", (5,)))
    np.save(HERE / "empty.npy", numbers("f32", (0, 3)))
    np.save(HERE / "column_major.npy", np.asfortranarray(numbers("f32", (2, 3, 4))))
    np.save(HERE / "big_endian.npy", numbers("f64", (2, 3)).astype(">f8"))
    np.save(HERE / "big_endian_column_major.npy", np.asfortranarray(numbers("i16", (2, 3)).astype(">i2")))
    for version in (2, 3):
        with open(HERE / f"version{version}.npy", "wb") as file:
            np.lib.format.write_array(file, numbers("f32", (2, 3)), version=(version, 0))
    np.save(HERE / "complex.npy", np.zeros(2, np.complex64))
    np.save(HERE / "records.npy", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
    save_file({name: numbers(name, (2, 3)) for name in TYPES if name != "bf16"} | {"empty": numbers("f32", (0, 3)), "layer.weight": numbers("f32", (4, 2))},
              HERE / "all_types.safetensors", metadata={"format": "np"})
    save_file({"bf16": numbers("bf16", (2, 3))}, HERE / "bf16.safetensors")


if __name__ == "__main__":
    main()

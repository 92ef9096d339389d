"""NumPy arrays for the C API: addresses, row strides, and clear errors for arrays that it cannot take."""

from __future__ import annotations

import math

import numpy as np


def need_array(name: str, array: object, dtype: type) -> np.ndarray:
    """Raises TypeError unless `array` is a NumPy array of `dtype` in the machine's byte order."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}; give a numpy.ndarray of {np.dtype(dtype)}")
    if array.dtype != dtype or not array.dtype.isnative:
        raise TypeError(f"{name} has dtype {array.dtype}; it takes {np.dtype(dtype)}: {name}.astype(numpy.{np.dtype(dtype)})")
    if array.itemsize > 1 and not array.flags.aligned:
        raise ValueError(f"{name} is not aligned to its elements; give {name}.copy()")
    return array


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def rows_of(name: str, array: object, width: int, width_name: str, writable: bool = False) -> tuple[int, int, int]:
    """Address, stride in floats and number of the rows of a float32 array [..., width], whose rows are each contiguous.
    Rows of a two-dimensional array may lie apart; an array of more dimensions must be contiguous as a whole."""
    array = need_array(name, array, np.float32)
    if array.ndim == 0 or array.shape[-1] != width:
        raise ValueError(f"{name} has shape {array.shape}; it takes [..., {width_name}] with {width_name} = {width}")
    if writable and not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    if array.flags.c_contiguous:
        return address(array), width, array.size // width
    strides = array.strides
    if width > 1 and strides[-1] != 4:
        raise ValueError(f"{name}'s rows are not contiguous (strides {strides} bytes); give numpy.ascontiguousarray({name})")
    if array.ndim != 2 or strides[0] % 4:
        raise ValueError(
            f"{name} of shape {array.shape} is not contiguous (strides {strides} bytes); only the rows of two dimensions may"
            f" lie apart, by whole floats: give numpy.ascontiguousarray({name})"
        )
    return address(array), strides[0] // 4, array.shape[0]


def contiguous(name: str, array: object, dtype: type, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """`array`, where it is contiguous, of `dtype`, and of `shape` if that is given."""
    array = need_array(name, array, dtype)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it takes {shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not contiguous (strides {array.strides} bytes); give numpy.ascontiguousarray({name})")
    return array


def empty_aligned(floats: int) -> np.ndarray:
    """This many float32, starting at the beginning of a cache line: kernels are faster on such memory."""
    memory = np.empty(floats + 15, np.float32)
    first = -address(memory) % 64 // 4
    return memory[first : first + floats]


def token_count(shape: tuple[int, ...]) -> int:
    """Tokens of an array [..., values]."""
    return math.prod(shape[:-1])

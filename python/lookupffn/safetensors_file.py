"""Reads and writes safetensors files, of NumPy arrays and torch tensors. Needs neither torch nor the library.

The format: 8 bytes little-endian length of a JSON header, the header (name to dtype, shape, data_offsets; texts under
"__metadata__"), then the data.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
import tempfile
from typing import Any, Mapping

import numpy as np

# dtype of the format -> type that holds its elements. bfloat16, which NumPy lacks, is held by its bits.
ELEMENTS = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
NAMES = {np.dtype(element): name for name, element in ELEMENTS.items() if name != "BF16"}


def encoded(name: str, tensor: Any) -> tuple[str, tuple[int, ...], np.ndarray]:
    """The dtype's name, the shape and the contiguous elements of a NumPy array or a torch tensor. Raises TypeError."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(tensor, torch.Tensor):
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
            raise TypeError(f"tensor '{name}' is sparse, quantised or has no data; a file holds plain values")
        tensor = tensor.detach().cpu()
        shape = tuple(tensor.shape)
        if tensor.dtype == torch.bfloat16:
            return "BF16", shape, tensor.contiguous().view(torch.int16).numpy().view(np.uint16)
        tensor = tensor.numpy()
    if not isinstance(tensor, np.ndarray):
        raise TypeError(f"tensor '{name}' is a {type(tensor).__name__}; give a NumPy array or a torch tensor")
    dtype = NAMES.get(tensor.dtype.newbyteorder("="))
    if dtype is None:
        raise TypeError(f"tensor '{name}' has dtype {tensor.dtype}, which a safetensors file does not hold")
    return dtype, tensor.shape, np.ascontiguousarray(tensor, ELEMENTS[dtype])


def serialised(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> list:
    """The pieces of a file's bytes, in order: the header and each tensor's elements, which are not copied where they are
    contiguous."""
    found = {name: encoded(name, tensor) for name, tensor in tensors.items()}
    header: dict[str, Any] = {}
    if metadata:
        header["__metadata__"] = dict(metadata)
    offset, pieces = 0, []
    # The widest elements first: then each tensor's data is aligned to its elements.
    for name in sorted(found, key=lambda name: (-found[name][2].itemsize, name)):
        dtype, shape, array = found[name]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
        if sys.byteorder != "little":
            array = array.byteswap()
        pieces.append(array.reshape(-1).view(np.uint8).data if array.nbytes else b"")
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)) + text, *pieces]


def save_file(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Writes all of the file or, if that fails, nothing: an existing file is replaced only by a whole one.
    Raises TypeError for values that a file cannot hold, OSError."""
    pieces = serialised(tensors, metadata)
    path = os.path.realpath(path)  # a symbolic link stays one
    descriptor, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            mode = os.stat(path).st_mode & 0o777
        else:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        os.chmod(temporary, mode)  # mkstemp's files are their owner's alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _entries(path: str, content: np.ndarray) -> tuple[dict[str, Any], dict[str, str]]:
    """name -> (dtype, shape, elements), and the metadata. Raises ValueError that names the file and what is wrong."""

    def wrong(what: str) -> ValueError:
        return ValueError(f"{path}: is no safetensors file: {what}")

    size = len(content)
    if size < 8:
        raise wrong("it is shorter than 8 bytes")
    (length,) = struct.unpack("<Q", content[:8].tobytes())
    if length > size - 8:
        raise wrong(f"a header of {length} bytes does not fit into {size}")
    try:
        header = json.loads(content[8 : 8 + length].tobytes())
        metadata = header.pop("__metadata__", {})
        data, entries = content[8 + length :], {}
        for name, entry in header.items():
            dtype, shape, offsets = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            if len(offsets) != 2:
                raise wrong(f"tensor '{name}' has {len(offsets)} data_offsets, not two")
            begin, end = offsets
            if dtype not in ELEMENTS:
                raise wrong(f"tensor '{name}' has the unknown dtype '{dtype}'")
            if any(not isinstance(extent, int) or extent < 0 for extent in (*shape, begin, end)):
                raise wrong(f"tensor '{name}' has sizes that are no whole numbers")
            if not begin <= end <= len(data) or end - begin != math.prod(shape) * np.dtype(ELEMENTS[dtype]).itemsize:
                raise wrong(f"tensor '{name}' of shape {list(shape)} does not fit its bytes {begin} to {end} of {len(data)}")
            elements = data[begin:end]
            element = np.dtype(ELEMENTS[dtype]).newbyteorder("<")
            if elements.ctypes.data % element.itemsize:
                elements = elements.copy()
            array = elements.view(element).reshape(shape)
            entries[name] = (dtype, shape, array.astype(element.newbyteorder("="), copy=False))
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise wrong(f"its header is malformed ({type(error).__name__}: {error})") from None
    if not isinstance(metadata, dict):
        raise wrong("__metadata__ is no object")
    return entries, metadata


def _content(path: str | os.PathLike[str]) -> np.ndarray:
    return np.fromfile(path, np.uint8)


def load_file(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a file. bfloat16 is returned as float32, which holds it exactly.
    Raises ValueError if the file is not a safetensors file, OSError."""
    entries, metadata = _entries(os.fspath(path), _content(path))
    tensors = {}
    for name, (dtype, _, array) in entries.items():
        tensors[name] = (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array
    return tensors, metadata


def load_torch_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The same as torch tensors, each in its file's dtype."""
    import torch

    entries, metadata = _entries(os.fspath(path), _content(path))
    tensors = {}
    for name, (dtype, _, array) in entries.items():
        if dtype == "BF16":
            tensors[name] = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        else:
            tensors[name] = torch.from_numpy(array)
    return tensors, metadata

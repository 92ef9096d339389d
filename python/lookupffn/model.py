"""A model file: its layers, and packing them."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Mapping

import numpy as np

from . import library
from .layer import Layer, LayerShape
from .library import Held, c, check
from .safetensors_file import serialised
from .system import TYPE_NUMBERS


class Model(Held):
    """A safetensors model, open and checked. Immutable; it may be shared between Python threads.

    source: the path of a file, or its content as bytes, which are not copied and must not change while the Model exists.

    Raises lookupffn.Error: "io_error" for files that cannot be read, "malformed_model" with the name of the tensor and the
    reason, "not_found" for files without layers.

        model = lookupffn.Model("model.safetensors")
        layer = model.pack(model.layers[0].prefix)
        y = layer.forward(x)
    """

    layers: tuple[LayerShape, ...]
    """The layers that can be packed, in the order of their prefixes."""
    _instead = "open the file there"

    def __init__(self, source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> None:
        self._handle = None
        handle = ctypes.c_void_p()
        if isinstance(source, (str, os.PathLike)):
            self._bytes = None
            check(c.lookupffn_model_open(os.fsencode(source), handle))
        elif isinstance(source, (bytes, bytearray, memoryview, np.ndarray)):
            self._bytes = np.frombuffer(source, np.uint8)  # keeps them, and keeps a bytearray from growing
            check(c.lookupffn_model_open_memory(self._bytes.ctypes.data, self._bytes.size, handle))
        else:
            raise TypeError(f"source is a {type(source).__name__}; give the path of a safetensors file, or its bytes")
        self._handle = handle.value
        shapes = []
        for index in range(c.lookupffn_model_layer_count(self._handle)):
            shape = library.Shape()
            check(c.lookupffn_model_layer(self._handle, index, shape))
            shapes.append(LayerShape._of(shape))
        self.layers = tuple(shapes)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> Model:
        """A model without a file, for example from a state_dict.

        tensors: name -> NumPy array or torch tensor, as they would be in a file; they are copied.
        metadata: the file's metadata, such as {"decay": "0.7"}.

        Raises TypeError for values that a file cannot hold; otherwise as Model().
        """
        pieces = serialised(tensors, metadata)
        content = np.empty(sum(len(piece) for piece in pieces), np.uint8)
        at = 0
        for piece in pieces:
            content[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
            at += len(piece)
        return cls(content.data)

    def __del__(self, close=c.lookupffn_model_close) -> None:
        if getattr(self, "_handle", None) is not None:
            close(self._handle)
            self._handle = None

    def __repr__(self) -> str:
        return f"<lookupffn.Model of {len(self.layers)} layers: {', '.join(repr(layer.prefix) for layer in self.layers)}>"

    def pack(
        self,
        prefix: str = "",
        isa: str | None = None,
        table_type: str = "f32",
        projection_type: str = "f32",
        *,
        kernels: str = "any",
    ) -> Layer:
        """Packs a layer for an ISA and weight types, ready to run.

        prefix: the layer's, or "" for the model's only layer, whatever its prefix.
        isa: a name of lookupffn.isas(); None: the active one.
        table_type, projection_type: names of lookupffn.weight_types() ("f32", "bf16", "i8", ...); fewer bits are faster and
            less exact.
        kernels: "any": specialised ones if load_kernels() has loaded them, else generic; "generic"; or "specialised", which
            raises Error if there are none.

        Raises ValueError for a name that does not exist, lookupffn.Error for one that does not fit.
        """
        for name, value in (("table_type", table_type), ("projection_type", projection_type)):
            if value not in TYPE_NUMBERS:
                raise ValueError(f"{name} is {value!r}; it is one of {', '.join(TYPE_NUMBERS)}")
        if kernels not in library.KERNELS:
            raise ValueError(f"kernels is {kernels!r}; it is one of {', '.join(library.KERNELS)}")
        options = library.PackOptions(
            None if isa is None else isa.encode(),
            library.KERNELS.index(kernels),
            TYPE_NUMBERS[table_type],
            TYPE_NUMBERS[projection_type],
        )
        handle = ctypes.c_void_p()
        check(c.lookupffn_layer_pack(self._handle, prefix.encode(), options, handle))
        assert handle.value is not None
        return Layer(handle.value)

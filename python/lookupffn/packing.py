"""Packed layers of torch tensors, kept while the tensors exist unchanged."""

from __future__ import annotations

import threading
import weakref

from torch import Tensor

from .layer import Layer
from .model import Model

NAMES = ("LayerNorm.weight", "LayerNorm.bias", "hash.projection.weight", "hash.projection.bias", "tables", "bias")
"""The tensors of a layer in a model file and in a state_dict, in the order in which the operators take them."""


def _version(tensor: Tensor) -> int:
    # Tensors that inference_mode made have no version.
    return -1 if tensor.is_inference() else tensor._version


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return (
        one.data_ptr() == other.data_ptr()
        and one.shape == other.shape
        and one.stride() == other.stride()
        and one.dtype == other.dtype
    )


class _Packed:
    """A layer, and the weights that it was packed from. While those live, nobody else has their memory."""

    __slots__ = ("layer", "references", "versions")

    def __init__(self, layer: Layer, weights: tuple[Tensor, ...], forget) -> None:
        self.layer = layer
        self.references = tuple(weakref.ref(weight, forget) for weight in weights)
        self.versions = tuple(_version(weight) for weight in weights)

    def is_of(self, weights: tuple[Tensor, ...]) -> bool:
        for reference, version, weight in zip(self.references, self.versions, weights):
            known = reference()
            if known is not weight and (known is None or not _same_memory(known, weight)):
                return False
            if (-1 if known.is_inference() else known._version) != version:
                return False
        return True


_kept: dict[tuple, _Packed] = {}
_lock = threading.Lock()


def packed(
    weights: tuple[Tensor, ...], decay: float, layer_norm_eps: float, isa: str, table_type: str, projection_type: str
) -> Layer:
    """The layer of six weights in the order of NAMES, packed at most once for as long as no weight's version changes.
    isa: "" for the active one. Raises lookupffn.Error, ValueError.

    Changes that torch does not count are not seen: those of `weight.data`, and of tensors made in inference_mode. Call forget()
    after them.
    """
    key = (weights[4].data_ptr(), isa, table_type, projection_type, decay, layer_norm_eps)
    found = _kept.get(key)
    if found is not None and found.is_of(weights):
        return found.layer
    with _lock:
        found = _kept.get(key)
        if found is not None and found.is_of(weights):
            return found.layer
        _kept.pop(key, None)  # frees it before the next is made
        for name, weight in zip(NAMES, weights):
            if weight.device.type != "cpu":
                raise ValueError(f"{name} is on {weight.device}; lookupffn runs on the CPU")
        metadata = {"layer_norm_eps": repr(layer_norm_eps), "decay": repr(decay)}
        model = Model.from_tensors(dict(zip(NAMES, weights)), metadata)
        layer = model.pack("", isa or None, table_type, projection_type)

        def forget_key(_):
            _kept.pop(key, None)

        _kept[key] = _Packed(layer, weights, forget_key)
        return layer


def forget_layer(tables: Tensor) -> None:
    """Forgets what is packed of these tables."""
    if tables.device.type != "cpu" or not _kept:
        return
    with _lock:
        for key in [key for key in _kept if key[0] == tables.data_ptr()]:
            _kept.pop(key, None)


def forget() -> None:
    """Forgets all packed weights: the next forward of each layer packs again."""
    with _lock:
        _kept.clear()

"""LookupFFN layers on a CPU: open a model file, pack a layer, run it on NumPy arrays.

    import lookupffn, numpy

    model = lookupffn.Model("model.safetensors")
    layer = model.pack(model.layers[0].prefix)
    y = layer.forward(numpy.zeros((5, layer.shape.d_in), numpy.float32))

With PyTorch there is more: lookupffn.ops (torch.ops.lookupffn.*), lookupffn.nn, lookupffn.optim and lookupffn.replace().
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .layer import Layer, LayerInfo, LayerShape
from .library import Error
from .model import Model
from .system import (
    Isa,
    Threads,
    WeightType,
    active_isa,
    default_thread_count,
    force_isa,
    isas,
    load_kernels,
    version,
    weight_types,
)
from .training import Saved, Training, Weights

if TYPE_CHECKING:
    from . import nn, ops, optim
    from .fitting import FitError, FitResult, fit
    from .replacement import feed_forward_names, replace

__version__ = version()
__all__ = [
    "Error",
    "FitError",
    "FitResult",
    "Isa",
    "Layer",
    "LayerInfo",
    "LayerShape",
    "Model",
    "Saved",
    "Threads",
    "Training",
    "WeightType",
    "Weights",
    "active_isa",
    "default_thread_count",
    "feed_forward_names",
    "fit",
    "force_isa",
    "isas",
    "load_kernels",
    "nn",
    "ops",
    "optim",
    "replace",
    "version",
    "weight_types",
]


def __getattr__(name: str) -> Any:
    """Imports what needs torch only when it is used."""
    if name in ("nn", "ops", "optim"):
        return importlib.import_module("." + name, __name__)
    for module, names in {"replacement": ("feed_forward_names", "replace"), "fitting": ("FitError", "FitResult", "fit")}.items():
        if name in names:
            return getattr(importlib.import_module("." + module, __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

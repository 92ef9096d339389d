"""Reuses the memory of tensors: new memory from the system for each step would cost a tenth of the step, page by page."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import torch
from torch import Tensor

from .arrays import empty_aligned

_free: list[np.ndarray] = []
_lock = threading.Lock()


def _rounded(floats: int) -> int:
    """Up to an eighth more, so that memory fits the next step, too, which may touch some rows more."""
    grain = max(1024, 1 << max(0, floats.bit_length() - 4))
    return -(-floats // grain) * grain


def empty(floats: int) -> Tensor:
    """A float32 tensor of this many elements. Its memory comes back here when nobody uses it any more."""
    with _lock:
        fitting = [number for number, memory in enumerate(_free) if floats <= memory.size <= 2 * floats]
        best = min(fitting, key=lambda number: _free[number].size, default=None)
        memory = empty_aligned(_rounded(floats)) if best is None else _free.pop(best)
    lent = memory[:floats]
    weakref.finalize(lent, _free.append, memory).atexit = False
    return torch.from_numpy(lent)


def forget() -> None:
    """Gives unused memory back to the system."""
    with _lock:
        _free.clear()

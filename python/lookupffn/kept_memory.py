"""Memory of tensors that is used again: what the system gives anew for each step costs a tenth of the step, page by page."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import torch
from torch import Tensor

from .arrays import empty_aligned

_free: list[np.ndarray] = []
_lock = threading.Lock()


def empty(floats: int) -> Tensor:
    """A float32 tensor of so many elements, whose memory comes back here when nobody has it any more."""
    with _lock:
        fitting = [number for number, memory in enumerate(_free) if floats <= memory.size <= 2 * floats]
        best = min(fitting, key=lambda number: _free[number].size, default=None)
        memory = empty_aligned(floats) if best is None else _free.pop(best)
    lent = memory[:floats]
    weakref.finalize(lent, _free.append, memory).atexit = False
    return torch.from_numpy(lent)


def forget() -> None:
    """Gives what nobody has back to the system."""
    with _lock:
        _free.clear()

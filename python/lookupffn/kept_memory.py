"""Reuses the memory of tensors: new memory from the system for each step would cost a tenth of the step, page by page."""

from __future__ import annotations

import threading
import weakref
from typing import Hashable

import numpy as np
import torch
from torch import Tensor

from .arrays import empty_aligned

_free: list[tuple[np.ndarray, Hashable]] = []  # with the last owner
_lock = threading.Lock()


def _rounded(floats: int) -> int:
    """Up to an eighth more, so that memory fits the next step, too, which may touch some rows more."""
    grain = max(1024, 1 << max(0, floats.bit_length() - 4))
    return -(-floats // grain) * grain


def empty(floats: int, owner: Hashable = None) -> Tensor:
    """A float32 tensor of so many elements, whose memory comes back here when nobody has it any more.

    owner: None: its values are whatever the memory held. Else the memory is filled with 0 unless its last user named an equal
        owner: a kernel that writes the same places each time then gives the same bits everywhere."""
    with _lock:
        fitting = [number for number, (memory, _) in enumerate(_free) if floats <= memory.size <= 2 * floats]
        best = min(fitting, key=lambda number: (_free[number][1] != owner, _free[number][0].size), default=None)
        memory, last = (empty_aligned(_rounded(floats)), None) if best is None else _free.pop(best)
    if owner is not None and last != owner:
        memory.fill(0)
    lent = memory[:floats]
    weakref.finalize(lent, _free.append, (memory, owner)).atexit = False
    return torch.from_numpy(lent)


def forget() -> None:
    """Gives unused memory back to the system."""
    with _lock:
        _free.clear()

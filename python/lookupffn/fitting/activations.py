"""What goes into a model's modules and what comes out of them."""

from __future__ import annotations

from typing import Any, Callable, Iterable

import torch
from torch import Tensor

from ..replacement import feed_forward_ends


class _Rows:
    """Rows that come in pieces, in memory for about as many as are wanted."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.count = wanted, 0
        self.last: list[int] = [0]
        """The shape of the last piece."""
        self._memory: Tensor | None = None

    def add(self, name: str, tensor: Any) -> None:
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.dim() < 2:
            raise ValueError(f"module {name!r} is no feed-forward layer: it does not turn rows of numbers into rows")
        piece = tensor.flatten(0, -2)
        needed = self.count + len(piece)
        if self._memory is None or needed > len(self._memory) or piece.shape[1] != self._memory.shape[1]:
            former = self.rows()
            if former is not None and piece.shape[1] != former.shape[1]:
                widths = f"{former.shape[1]} numbers, then {piece.shape[1]}"
                raise ValueError(f"module {name!r} is no feed-forward layer: its rows have {widths}")
            room = needed if needed >= self.wanted else max(self.wanted + len(piece), 2 * self.count)
            self._memory = torch.empty(room, piece.shape[1], dtype=torch.float32, device="cpu")
            if former is not None:
                self._memory[: self.count] = former
        self._memory[self.count : needed] = piece
        self.count, self.last = needed, list(piece.shape)

    def rows(self) -> Tensor | None:
        return None if self._memory is None else self._memory[: self.count]


@torch.no_grad()
def captured(
    model: torch.nn.Module, names: Iterable[str], run: Callable[[int], Any], tokens: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """name -> (x [tokens, d_in], y [tokens, d_out]) of a model's feed-forward parts, named as replace() takes them,
    while run(0), run(1), ... run the model, until `tokens` rows or more went through each. Float32.

    Raises ValueError for a module that is not called, or takes or gives no such rows."""
    taken = {name: _Rows(tokens) for name in names}
    given = {name: _Rows(tokens) for name in taken}

    handles = []
    for name in taken:
        first, last = feed_forward_ends(model, name)

        def before(module: torch.nn.Module, inputs: tuple, name: str = name) -> None:
            if not inputs:
                raise ValueError(f"module {name!r} gets its input as a named argument; a LookupFFN layer takes it by position")
            taken[name].add(name, inputs[0])

        def after(module: torch.nn.Module, inputs: tuple, output: Any, name: str = name) -> None:
            given[name].add(name, output)

        handles += [first.register_forward_pre_hook(before), last.register_forward_hook(after)]
    try:
        number = 0
        while any(found.count < tokens for found in given.values()):
            before_run = [found.count for found in given.values()]
            run(number)
            number += 1
            for name in taken:
                shapes = [taken[name].last, given[name].last]
                if shapes[1] == [0]:
                    raise ValueError(f"module {name!r} is not called when the model runs")
                if shapes[0][0] != shapes[1][0]:
                    raise ValueError(
                        f"module {name!r} is no feed-forward layer: it turns {shapes[0]} into {shapes[1]}, not rows into rows"
                    )
            if before_run == [found.count for found in given.values()]:
                raise ValueError(f"batch {number - 1} has no tokens")
    finally:
        for handle in handles:
            handle.remove()
    return {name: (taken[name].rows(), given[name].rows()) for name in taken}

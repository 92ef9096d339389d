"""What goes into a model's modules and what comes out of them."""

from __future__ import annotations

from typing import Any, Callable, Iterable

import torch
from torch import Tensor

from ..replacement import feed_forward_ends


@torch.no_grad()
def captured(
    model: torch.nn.Module, names: Iterable[str], run: Callable[[int], Any], tokens: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """name -> (x [tokens, d_in], y [tokens, d_out]) of a model's feed-forward parts, named as replace() takes them,
    while run(0), run(1), ... run the model, until `tokens` rows or more went through each.

    Raises ValueError for a module that is not called, or takes or gives no such rows."""
    taken: dict[str, list[Tensor]] = {name: [] for name in names}
    given: dict[str, list[Tensor]] = {name: [] for name in taken}

    def rows(name: str, tensor: Any) -> Tensor:
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.dim() < 2:
            raise ValueError(f"module {name!r} is no feed-forward layer: it does not turn rows of numbers into rows")
        return tensor.flatten(0, -2).float().clone()

    handles = []
    for name in taken:
        first, last = feed_forward_ends(model, name)

        def before(module: torch.nn.Module, inputs: tuple, name: str = name) -> None:
            taken[name].append(rows(name, inputs[0] if inputs else None))

        def after(module: torch.nn.Module, inputs: tuple, output: Any, name: str = name) -> None:
            given[name].append(rows(name, output))

        handles += [first.register_forward_pre_hook(before), last.register_forward_hook(after)]
    try:
        number = 0
        while any(sum(map(len, tensors)) < tokens for tensors in given.values()):
            run(number)
            number += 1
            for name in taken:
                shapes = [list(tensors[-1].shape) if tensors else [0] for tensors in (taken[name], given[name])]
                if shapes[1] == [0]:
                    raise ValueError(f"module {name!r} is not called when the model runs")
                if shapes[0][0] != shapes[1][0]:
                    raise ValueError(
                        f"module {name!r} is no feed-forward layer: it turns {shapes[0]} into {shapes[1]}, not rows into rows"
                    )
    finally:
        for handle in handles:
            handle.remove()
    return {name: (torch.cat(taken[name]), torch.cat(given[name])) for name in taken}

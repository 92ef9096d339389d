"""What goes into a model's modules and what comes out of them."""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import Tensor


@torch.no_grad()
def captured(modules: dict[str, torch.nn.Module], run: Callable[[int], Any], tokens: int) -> dict[str, tuple[Tensor, Tensor]]:
    """name -> (x [tokens, d_in], y [tokens, d_out]) of modules, while run(0), run(1), ... run the model, until `tokens` rows or more
    went through each. Raises ValueError for a module that is not called, or takes or gives no such rows."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in modules}

    def hook_of(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: tuple, output: Any) -> None:
            if len(inputs) != 1 or not all(isinstance(t, Tensor) and t.is_floating_point() for t in (inputs[0], output)):
                raise ValueError(f"module {name!r} is no feed-forward layer: it does not turn one tensor into one tensor")
            if inputs[0].shape[:-1] != output.shape[:-1]:
                shapes = f"{list(inputs[0].shape)} into {list(output.shape)}"
                raise ValueError(f"module {name!r} is no feed-forward layer: it turns {shapes}, not each row into a row")
            seen[name].append((inputs[0].flatten(0, -2).float().clone(), output.flatten(0, -2).float().clone()))

        return hook

    handles = [module.register_forward_hook(hook_of(name)) for name, module in modules.items()]
    try:
        number = 0
        while any(sum(len(x) for x, _ in pairs) < tokens for pairs in seen.values()):
            run(number)
            number += 1
            for name, pairs in seen.items():
                if not pairs:
                    raise ValueError(f"module {name!r} is not called when the model runs")
    finally:
        for handle in handles:
            handle.remove()
    return {name: (torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])) for name, pairs in seen.items()}

"""Which modules of a model are its feed-forward layers."""

from __future__ import annotations

import torch

from ..nn import linear_shapes


def is_feed_forward(name: str, module: torch.nn.Module) -> bool:
    """Whether a module looks like a transformer's feed-forward layer: it is one of torch's transformer layers, or its linear layers
    lead from d to more than d and back to d; a gate beside the first is allowed, and there is nothing else with matrices.

    For `which` of lookupffn.fit() and lookupffn.replace(): models of other makes name such modules mlp, ffn, feed_forward, ...
    """
    if isinstance(module, (torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer)):
        return True
    linear = linear_shapes(module)
    if not 2 <= len(linear) <= 3:
        return False
    *first, (hidden, d_out) = linear
    if any(shape != (d_out, hidden) for shape in first) or hidden <= d_out:
        return False
    weights = sum(inputs * outputs for inputs, outputs in linear)
    matrices = sum(parameter.numel() for parameter in module.parameters() if parameter.dim() > 1)
    return matrices == weights

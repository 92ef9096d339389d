"""Gradients of the formulas, one function for each stage, with codes held fixed. Names and shapes are those of formulas.py;
d_v is the gradient of the loss by v.

Training in dtypes other than float32 uses them; for float32 there are kernels.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .formulas import blocks_times, flat_rows, hadamard

_SUM = 0
"""embedding_bag's mode="sum", as its operators have it."""


def of_tables(d_y: Tensor, code: Tensor, score: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """d_table[t, r, :] = sum of score[n, t] * d_y[n, :] over the tokens n whose code[n, t] is r, tokens in their order.

    Returns the rows that at least one token picked, numbered through all tables, ascending: int64 [picked]; and their gradients
    [picked, d_out].
    """
    tokens, tables = code.shape
    if tokens == 0:
        return torch.empty(0, dtype=torch.int64, device="cpu"), d_y.new_empty(0, d_y.shape[1])
    by_table = np.ascontiguousarray(code.numpy().T).astype(np.uint16 if rows <= 1 << 16 else np.int64)
    order = torch.from_numpy(by_table.argsort(axis=1, kind="stable"))  # [tables, tokens]: tokens by code
    sorted_rows = flat_rows(code, rows).t().gather(1, order).reshape(-1)
    weights = score.t().gather(1, order).reshape(-1)
    picked, counts = torch.unique_consecutive(sorted_rows, return_counts=True)
    offsets = counts.cumsum(0) - counts
    # A row's gradient is a bag of tokens: the gather's sum with the parts of tokens and rows exchanged.
    return picked, F.embedding_bag(order.reshape(-1), d_y, offsets, per_sample_weights=weights, mode="sum")


def of_score(d_y: Tensor, code: Tensor, tables: Tensor) -> Tensor:
    """d_score[n, t] = tables[t, code[n, t], :] . d_y[n, :]"""
    tokens, count = code.shape
    picked = flat_rows(code, tables.shape[1]).reshape(-1)
    begins = torch.arange(tokens, device="cpu") * count
    bags = torch.arange(tokens, device="cpu").repeat_interleave(count)
    # The operator by which embedding_bag's own gradient does it: it copies no rows.
    d_score = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        d_y, tables.reshape(-1, tables.shape[2]), picked, begins, bags, _SUM
    )
    return d_score.reshape(code.shape)


def of_z(d_score: Tensor, z: Tensor) -> Tensor:
    """d_z = d_score * d score / d z. With S = sum_j |z_j| and P = prod_j sigmoid(2 |z_j|), score = S P:
    d score / d z_j = sign(z_j) P (1 + 2 S sigmoid(-2 |z_j|))"""
    split = z.reshape(*d_score.shape, z.shape[1] // d_score.shape[1])
    size = split.abs()
    total = size.sum(-1, keepdim=True)
    product = torch.sigmoid(2 * size).prod(-1, keepdim=True)
    return (d_score.unsqueeze(-1) * product * (1 + 2 * total * torch.sigmoid(-2 * size)) * split.sign()).reshape(z.shape)


def of_projection(d_z: Tensor, h: Tensor, inputs: Tensor, weight: Tensor, decay: float) -> tuple[Tensor, Tensor, Tensor]:
    """d_h, d_weight and d_bias. `inputs`: as formulas.project returned it."""
    d_bias = d_z.sum(0)
    if weight.dim() == 2:
        return d_z @ weight, d_z.t() @ h, d_bias
    repeats, stages, segments, block, _ = weight.shape
    p = segments * block
    d_parts = F.pad(d_z, (0, repeats * p - d_z.shape[1])).reshape(len(d_z), repeats, p)
    d_padded = (1 - decay) * d_parts.sum(1)
    d_weight = torch.empty_like(weight)
    for repeat in range(repeats):
        d_v = decay * d_parts[:, repeat]
        for stage in reversed(range(stages)):
            d_v = hadamard(d_v)  # which is symmetric
            outputs = d_v.reshape(-1, segments, block).permute(1, 2, 0)  # [segments, block, tokens]
            into = inputs[repeat, stage].reshape(-1, segments, block).transpose(0, 1)  # [segments, tokens, block]
            d_weight[repeat, stage] = torch.bmm(outputs, into)
            d_v = blocks_times(weight[repeat, stage].transpose(1, 2), d_v)
        d_padded = d_padded + d_v
    return d_padded[:, : h.shape[1]].contiguous(), d_weight, d_bias


def of_layer_norm(
    d_h: Tensor, x: Tensor, mean: Tensor, deviation: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """d_x, d_weight and d_bias. `mean`, `deviation`: as formulas.layer_norm returned them."""
    return torch.ops.aten.native_layer_norm_backward(d_h, x, (x.shape[-1],), mean, deviation, weight, bias, (True, True, True))

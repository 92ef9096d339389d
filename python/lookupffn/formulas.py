"""A LookupFFN layer's formulas in plain torch operations. Training in dtypes other than float32 uses them, and the
kernels are checked against them.

Names and shapes, with `tokens` rows:
    x [tokens, d_in], h [tokens, d_in]: LayerNorm of x; z [tokens, tables * bits]; code [tokens, tables], int64;
    score [tokens, tables]; y [tokens, d_out]; tables [tables, rows, d_out].
BH4: p is d_in rounded up to a power of two; a projection's weight is [repeats, 4, p / block, block, block].
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


@functools.lru_cache(maxsize=None)
def _hadamard_matrix(size: int, dtype: torch.dtype) -> Tensor:
    matrix = torch.ones(1, 1, dtype=dtype, device="cpu")
    while len(matrix) < size:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)), 0)
    return matrix


def hadamard(v: Tensor) -> Tensor:
    """The unnormalised Sylvester-Hadamard transform over the last dimension, a power of two: H_ab = H_a (x) H_b."""
    p = v.shape[-1]
    a = 1 << ((p.bit_length() - 1) // 2)
    split = v.reshape(*v.shape[:-1], a, p // a)
    split = _hadamard_matrix(a, v.dtype) @ (split @ _hadamard_matrix(p // a, v.dtype))
    return split.reshape(v.shape)


def blocks_times(blocks: Tensor, v: Tensor) -> Tensor:
    """y[t, n, :] = blocks[n] v[t, n, :]; blocks [segments, block, block], v [tokens, segments * block]."""
    segments, block, _ = blocks.shape
    split = v.reshape(-1, segments, block).transpose(0, 1)  # [segments, tokens, block]
    return torch.bmm(split, blocks.transpose(1, 2)).transpose(0, 1).reshape(v.shape)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """h, and the mean and reciprocal deviation that its gradient needs."""
    return torch.native_layer_norm(x, (x.shape[-1],), weight, bias, eps)


def project(h: Tensor, weight: Tensor, bias: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """z, and for BH4 the input of each of its products, [repeats, 4, tokens, p], which its gradient needs."""
    if weight.dim() == 2:
        return F.linear(h, weight, bias), h.new_empty(0)
    repeats, stages, segments, block, _ = weight.shape
    padded = F.pad(h, (0, segments * block - h.shape[1]))
    inputs, parts = [], []
    for repeat in range(repeats):
        v = padded
        for stage in range(stages):
            inputs.append(v)
            v = hadamard(blocks_times(weight[repeat, stage], v))
        parts.append(decay * v + (1 - decay) * padded)
    z = torch.cat(parts, 1)[:, : len(bias)] + bias
    return z, torch.stack(inputs).reshape(repeats, stages, *padded.shape)


def code_of(z: Tensor, tables: int) -> Tensor:
    """code[t] = sum_j (z[t, j] > 0) << (bits - 1 - j)"""
    bits = z.shape[1] // tables
    place = 1 << torch.arange(bits - 1, -1, -1, device="cpu")
    return ((z.reshape(len(z), tables, bits) > 0) * place).sum(-1)


def score_of(z: Tensor, tables: int) -> Tensor:
    """score[t] = sum_j |z[t, j]| / prod_j (1 + exp(-2 |z[t, j]|))"""
    size = z.reshape(len(z), tables, z.shape[1] // tables).abs()
    return size.sum(-1) * torch.sigmoid(2 * size).prod(-1)


def flat_rows(code: Tensor, rows: int) -> Tensor:
    """The rows that codes pick, numbered through all tables."""
    return code + torch.arange(code.shape[1], device="cpu") * rows


def gather(code: Tensor, score: Tensor, tables: Tensor, bias: Tensor) -> Tensor:
    """y = bias + sum_t score[t] * tables[t, code[t], :]"""
    rows = flat_rows(code, tables.shape[1])
    return F.embedding_bag(rows, tables.reshape(-1, tables.shape[2]), per_sample_weights=score, mode="sum") + bias


def forward(
    x: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor,
    projection_weight: Tensor,
    projection_bias: Tensor,
    tables: Tensor,
    bias: Tensor,
    decay: float,
    layer_norm_eps: float,
) -> Tensor:
    """The whole layer, differentiable by autograd: codes are held fixed, as they are whole numbers."""
    h, _, _ = layer_norm(x, norm_weight, norm_bias, layer_norm_eps)
    z, _ = project(h, projection_weight, projection_bias, decay)
    return gather(code_of(z, len(tables)), score_of(z, len(tables)), tables, bias)

"""Where a LookupFFN layer starts from: what the layer that it replaces makes of its inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import formulas
from ..nn import LookupFFN


def _hashed(layer: LookupFFN, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """z, code and score of x."""
    gamma, beta, weight, bias, tables, _ = layer.weights
    h, _, _ = formulas.layer_norm(x, gamma, beta, layer.layer_norm_eps)
    z, _ = formulas.project(h, weight, bias, layer.decay)
    return z, formulas.code_of(z, len(tables)), formulas.score_of(z, len(tables))


def variance_of(y: Tensor) -> float:
    """The mean variance of y's columns; a little more than 0 where they are constant, as it divides errors."""
    return max(float(y.var(0, unbiased=False).mean()), 1e-6 * float(y.square().mean()), 1e-8)


@torch.no_grad()
def start_from(layer: LookupFFN, x: Tensor, y: Tensor, sweeps: int = 3) -> float:
    """Gives a new layer the weights to start with, of inputs x [tokens, d_in] and the outputs y [tokens, d_out] that it shall have.

    The projection's directions are random and orthogonal. Its bias puts the median of each z at 0, so that each bit splits the
    tokens in halves. The tables are a least-squares fit of y, by Gauss-Seidel sweeps: a table at a time, each row gets
    what the tokens that pick it still miss. Returns the share of y's variance that is left, of tokens that were kept back.
    """
    weight = layer.hash.projection.weight
    if weight.dim() == 2:
        outputs, d_in = weight.shape
        parts = [torch.linalg.qr(torch.randn(d_in, d_in, dtype=weight.dtype))[0] for _ in range(-(-outputs // d_in))]
        weight.copy_(torch.cat(parts)[:outputs])
    z, _, _ = _hashed(layer, x)
    layer.hash.projection.bias.sub_(z.median(0).values)
    _, code, score = _hashed(layer, x)
    kept_back = max(1, len(x) // 8)
    fit, test = slice(kept_back, None), slice(0, kept_back)
    variance = variance_of(y)

    def fitted(ridge_tokens: int, sweeps: int) -> float:
        _fit_tables(layer, code[fit], score[fit], y[fit], ridge_tokens, sweeps)
        off = y[test] - formulas.gather(code[test], score[test], layer.tables, layer.bias)
        return float(off.square().mean()) / variance

    # A row that few tokens pick is held back, or it would learn their noise: how much, tokens that are kept back say.
    best = min((1, 8, 64), key=lambda ridge_tokens: fitted(ridge_tokens, 1))
    return fitted(best, sweeps)


def _fit_tables(layer: LookupFFN, code: Tensor, score: Tensor, y: Tensor, ridge_tokens: int, sweeps: int) -> None:
    """The bias and the tables that give y; each row as if it had to give 0 to `ridge_tokens` more tokens."""
    tables, rows, d_out = layer.tables.shape
    layer.bias.copy_(y.mean(0))
    layer.tables.zero_()
    left = y - layer.bias
    ridge = ridge_tokens * float(score.square().mean())
    for _ in range(sweeps):
        for table in range(tables):
            picked, weight = code[:, table], score[:, table : table + 1]
            square = left.new_full((rows, 1), ridge).index_add_(0, picked, weight.square())
            missed = left.new_zeros(rows, d_out).index_add_(0, picked, left * weight)
            # `left` is without what the table gives now.
            change = (missed + (square - ridge) * layer.tables[table]) / square - layer.tables[table]
            layer.tables[table] += change
            left -= weight * change[picked]


@torch.no_grad()
def used_rows(layer: LookupFFN, x: Tensor) -> Tensor:
    """[tables, rows]: how many of the tokens x pick a row."""
    _, code, _ = _hashed(layer, x)
    tables, rows, _ = layer.tables.shape
    return torch.bincount(formulas.flat_rows(code, rows).flatten(), minlength=tables * rows).reshape(tables, rows)


@torch.no_grad()
def revive(layer: LookupFFN, x: Tensor) -> int:
    """Brings codes that none of the tokens x picks back to use; returns how many there were.

    A bit that is the same for more than 99 of 100 tokens gets its median at 0 again. A row that nobody picks becomes the mean, by
    how often they are picked, of the rows whose codes differ in one bit: what its first tokens would have got before.
    """
    z, _, _ = _hashed(layer, x)
    ones = (z > 0).float().mean(0)
    stuck = (ones < 0.01) | (ones > 0.99)
    layer.hash.projection.bias[stuck] -= z[:, stuck].median(0).values
    used = used_rows(layer, x)
    dead = used == 0
    count = int(dead.sum())
    if count:
        rows = layer.tables.shape[1]
        total, weight = torch.zeros_like(layer.tables), torch.zeros(used.shape, dtype=layer.tables.dtype)
        for bit in range(rows.bit_length() - 1):
            neighbour = torch.arange(rows) ^ (1 << bit)
            total += layer.tables[:, neighbour] * used[:, neighbour].unsqueeze(2)
            weight += used[:, neighbour]
        known = dead & (weight > 0)
        layer.tables[known] = (total / weight.clamp(min=1).unsqueeze(2))[known]
    return count

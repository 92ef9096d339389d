#!/usr/bin/env python3
"""A training step (forward, backward, update) of one layer on one core: LookupFFN with RowAdam, after the backward and in it; the
same formulas by torch's autograd with AdamW; and a dense layer of four times the width with AdamW. d 512, 128 tables of 256 rows,
2048 tokens.

They are run in turn, each two steps of which the second is timed: after another program's work the first is slower, whoever
takes it. A step's time is the processor time of the process, so that a busy machine adds little. Beside them, the
limit: the bytes that a step cannot but touch, at the rate at which this core reads and writes memory in a copy, and its
multiply-adds, at the rate of torch's largest matrix product."""

import statistics
import time

import torch

from lookupffn import formulas, nn, optim

D, TABLES, BITS, TOKENS, ROUNDS = 512, 128, 8, 2048, 9

torch.set_num_threads(1)
torch.manual_seed(0)
x, d_y = torch.randn(TOKENS, D), torch.randn(TOKENS, D)


def lookup(**options):
    torch.manual_seed(1)
    layer = nn.LookupFFN(D, D, TABLES, BITS, sparse=True)
    return layer, optim.RowAdam(nn.parameter_groups(layer, 1e-4), **options)


layer, rows = lookup()
within, rows_within = lookup(in_backward=True)
plain = [weight.detach().clone().requires_grad_() for weight in layer.weights]
adam = torch.optim.AdamW(plain, lr=1e-4)
dense = torch.nn.Sequential(torch.nn.LayerNorm(D), torch.nn.Linear(D, 4 * D), torch.nn.GELU(), torch.nn.Linear(4 * D, D))
dense_adam = torch.optim.AdamW(dense.parameters(), lr=1e-4)


def seconds(optimizer, forward):
    for _ in range(2):
        begin = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        forward().backward(d_y)
        optimizer.step()
    return time.process_time() - begin


contenders = {
    "LookupFFN, RowAdam": lambda: seconds(rows, lambda: layer(x)),
    "LookupFFN, RowAdam in the backward": lambda: seconds(rows_within, lambda: within(x)),
    "its formulas by autograd, AdamW": lambda: seconds(
        adam, lambda: formulas.forward(x, *plain, layer.decay, layer.layer_norm_eps)
    ),
    f"dense {D}-{4 * D}-{D}, AdamW": lambda: seconds(dense_adam, lambda: dense(x)),
}
for contender in contenders.values():
    contender()
samples = [[contender() for contender in contenders.values()] for _ in range(ROUNDS)]
for index, name in enumerate(contenders):
    middle = statistics.median(sample[index] for sample in samples) * 1e3
    first, second = (statistics.median(sample[index] / sample[one] for sample in samples) for one in (0, 1))
    print(f"{name}: {middle:.0f} ms a step, {first:.2f} times the first, {second:.2f} times the second")


def rate(work, run):
    run()
    times = []
    for _ in range(5):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return work / min(times)


one, other = torch.zeros(1 << 26), torch.ones(1 << 26)
memory = rate(3 * 4 * one.numel(), lambda: one.copy_(other))  # what is written is read before
side = torch.randn(2048, 2048)
products = rate(2048**3, lambda: torch.mm(side, side))
of_projection = TOKENS * layer.hash.projection.weight.numel()
multiply_adds = 3 * of_projection + 3 * TOKENS * TABLES * D
for name, optimizer, others in (("RowAdam", rows, 3), ("RowAdam in the backward", rows_within, 1)):
    # The rows are read by the gather; else also by the backward, which writes their gradient to memory.
    touched = optimizer.bytes_touched + others * optimizer.rows_touched * 4 * D
    limit = touched / memory + multiply_adds / products
    print(
        f"{name} touched {optimizer.rows_touched} of {TABLES << BITS} rows, {optimizer.bytes_touched / 2**20:.0f} MiB; the step"
        f" {touched / 2**20:.0f} MiB at {memory / 1e9:.1f} GB/s and {multiply_adds / 1e9:.2f} G multiply-adds at"
        f" {products / 1e9:.0f} G/s: at least {limit * 1e3:.0f} ms"
    )

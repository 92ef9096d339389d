#!/usr/bin/env python3
"""A training step (forward, backward, update) of one layer on one core: LookupFFN with RowAdam, the same formulas by torch's
autograd with AdamW, and a dense layer of four times the width with AdamW. d 512, 128 tables of 256 rows, 2048 tokens.

The three are run in turn; a step's time is the processor time of the thread, so that a busy machine adds little."""

import statistics
import time

import torch

from lookupffn import formulas, nn, optim

D, TABLES, BITS, TOKENS, ROUNDS = 512, 128, 8, 2048, 5

torch.set_num_threads(1)
torch.manual_seed(0)
x, d_y = torch.randn(TOKENS, D), torch.randn(TOKENS, D)
layer = nn.LookupFFN(D, D, TABLES, BITS, sparse=True)
rows = optim.RowAdam(nn.parameter_groups(layer, 1e-4))
plain = [weight.detach().clone().requires_grad_() for weight in layer.weights]
adam = torch.optim.AdamW(plain, lr=1e-4)
dense = torch.nn.Sequential(torch.nn.LayerNorm(D), torch.nn.Linear(D, 4 * D), torch.nn.GELU(), torch.nn.Linear(4 * D, D))
dense_adam = torch.optim.AdamW(dense.parameters(), lr=1e-4)


def seconds(optimizer, forward):
    begin = time.thread_time()
    optimizer.zero_grad()
    forward().backward(d_y)
    optimizer.step()
    return time.thread_time() - begin


contenders = {
    "LookupFFN, RowAdam": lambda: seconds(rows, lambda: layer(x)),
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
    ratio = statistics.median(sample[index] / sample[0] for sample in samples)
    print(f"{name}: {middle:.0f} ms a step, {ratio:.2f} times the first")
print(f"RowAdam touched {rows.rows_touched} of {TABLES << BITS} rows, {rows.bytes_touched / 2**20:.0f} MiB")

#!/usr/bin/env python3
"""What a call of torch.ops.lookupffn.forward costs above the C call, for one token of the smallest layer.

Loops of 100 calls of either are timed in turn. The least loop of each leaves out what a busy machine adds; the median of the
differences does not."""

import statistics
import time

import torch

import lookupffn
from lookupffn import packing
from lookupffn.nn import LookupFFN
from lookupffn.library import c


def microseconds(function):
    begin = time.perf_counter()
    for _ in range(100):
        function()
    return (time.perf_counter() - begin) / 100 * 1e6


module = LookupFFN(8, 8, tables=1, bits=1, projection="dense").eval()
weights = module.weights
x, y = torch.randn(1, 8), torch.empty(1, 8)
layer = packing.packed(tuple(weights), 1.0, 1e-5, "", "f32", "f32")
addresses = (layer._handle, None, x.data_ptr(), 8, y.data_ptr(), 8, 1, 0)
for mode in (torch.no_grad, torch.inference_mode):
    with mode():
        samples = [
            (
                microseconds(lambda: c.lookupffn_forward(*addresses)),
                microseconds(lambda: torch.ops.lookupffn.forward(x, *weights, 1.0, 1e-5)),
                microseconds(lambda: module(x)),
            )
            for _ in range(300)
        ]
    call, operator, whole = (min(column) for column in zip(*samples))
    middle = statistics.median(operator - call for call, operator, _ in samples)
    print(
        f"torch {torch.__version__}, lookupffn {lookupffn.__version__}, {mode.__name__}: C call {call:.1f} us,"
        f" operator {operator:.1f} us: {operator - call:.1f} us more (median {middle:.1f}); nn.LookupFFN {whole:.1f} us"
    )

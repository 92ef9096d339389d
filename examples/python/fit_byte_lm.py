"""Puts LookupFFN layers in place of the feed-forward layers of the dense byte model of examples/byte_lm.

    python3 -m lookupffn fit examples/python/fit_byte_lm.py:task --folder build/fit --minutes 60

The model has learnt the King James Bible, and is fitted on it: `apt install bible-kjv`. Another text: TEXT=FILE in the environment.
Another dense model of the same make: MODEL=FILE. With either, the last 2 % of the text, which are not learnt in any case, are the
evaluation. The evaluation of the model of examples/byte_lm is its own, where it has 1.1414 nats a byte.
"""

import os
import subprocess
import sys

import torch
from byte_lm import ByteLm, load, read_text
from torch.nn import functional as F

from lookupffn.safetensors_file import load_torch_file

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "byte_lm", "data", "byte_lm_dense")


def training_text():
    if "TEXT" in os.environ:
        return read_text(os.environ["TEXT"])
    try:
        printed = subprocess.run(
            ["bible", "gen1:1-rev22:21"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
        ).stdout
    except FileNotFoundError:
        sys.exit("there is no command `bible`: apt install bible-kjv, or name a text with TEXT=FILE")
    return torch.frombuffer(bytearray(printed), dtype=torch.uint8).long()


def evaluation(held_back):
    """(bytes, next bytes): of the model's own evaluation text, or from the text that was held back."""
    if "MODEL" in os.environ or "TEXT" in os.environ:
        count = min(len(held_back) // 129, 128)
        sequences = held_back[: count * 129].view(count, 129)
        return [(part[:, :-1], part[:, 1:]) for part in sequences.split(32)]
    tensors, _ = load_torch_file(DATA + ".eval.safetensors")
    return [(tensors[f"ids{n}"].long(), tensors[f"labels{n}"].long()) for n in range(4)]


def task():
    text = training_text()
    if len(text) < 50 * 129:
        sys.exit(f"the text has {len(text)} bytes, which are too few: a fiftieth of it has to be a sequence of 129")
    training, held_back = text[: -(len(text) // 50)], text[-(len(text) // 50) :]  # the evaluation is of there

    def batches(number):
        generator = torch.Generator().manual_seed(number)
        starts = torch.randint(len(training) - 129, (16,), generator=generator)
        sequences = torch.stack([training[start : start + 129] for start in starts])
        return sequences[:, :-1], sequences[:, 1:]

    model = load(os.environ.get("MODEL", DATA + ".safetensors"))
    return {
        "model": model,
        "batches": batches,
        "which": None,  # found by themselves
        "forward": lambda model, batch: model(batch[0]),
        "loss": lambda logits, batch: F.cross_entropy(logits.flatten(0, 1), batch[1].flatten()),
        "evaluation": evaluation(held_back),
        "untrained": lambda: ByteLm(**model.sizes),
        "tables": 128,
        "bits": 8,
    }

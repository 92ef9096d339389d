"""Puts LookupFFN layers in place of the feed-forward layers of the dense byte model of examples/byte_lm.

    python3 -m lookupffn fit examples/python/fit_byte_lm.py:task --folder build/fit

The model has learnt the King James Bible, and is fitted on it: `apt install bible-kjv`. Another text: TEXT=FILE in the environment.
The evaluation is that of examples/byte_lm, where the dense model has 1.1414 nats a byte. Slower and better: --set steps=6000.
"""

import os
import subprocess

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
        raise ValueError("there is no command `bible`: apt install bible-kjv, or name a text with TEXT=FILE") from None
    return torch.frombuffer(bytearray(printed), dtype=torch.uint8).long()


def evaluation():
    """The (bytes, next bytes) of the model's evaluation text."""
    tensors, _ = load_torch_file(DATA + ".eval.safetensors")
    return [(tensors[f"ids{n}"].long(), tensors[f"labels{n}"].long()) for n in range(4)]


def task():
    text = training_text()
    held_back = len(text) // 50  # the evaluation is of there

    def batches(number):
        generator = torch.Generator().manual_seed(number)
        starts = torch.randint(len(text) - held_back - 129, (16,), generator=generator)
        sequences = torch.stack([text[start : start + 129] for start in starts])
        return sequences[:, :-1], sequences[:, 1:]

    return {
        "model": load(DATA + ".safetensors"),
        "batches": batches,
        "which": ["layer.0.FFN", "layer.1.FFN"],
        "forward": lambda model, batch: model(batch[0]),
        "loss": lambda logits, batch: F.cross_entropy(logits.flatten(0, 1), batch[1].flatten()),
        "evaluation": evaluation(),
        "untrained": ByteLm,
        "tables": 128,
        "bits": 8,
    }

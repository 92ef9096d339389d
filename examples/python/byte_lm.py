"""A small causal language model over bytes, with dense or LookupFFN feed-forward layers: the model of examples/byte_lm, with the
parameter names of its files."""

import os

import torch
from torch import nn
from torch.nn import functional as F

from lookupffn.nn import LookupFFN
from lookupffn.nn import save as save_model
from lookupffn.safetensors_file import load_torch_file


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.LayerNorm = nn.LayerNorm(d)
        self.query, self.key, self.value, self.dense = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x):
        batch, length, d = x.shape
        h = self.LayerNorm(x)
        q, k, v = (
            part(h).view(batch, length, self.heads, d // self.heads).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(2, 3)) / (d // self.heads) ** 0.5
        context = scores.masked_fill(later, -torch.inf).softmax(-1) @ v
        return self.dense(context.transpose(1, 2).reshape(batch, length, d))


class DenseFFN(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.LayerNorm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        return self.down(F.gelu(self.up(self.LayerNorm(x))))


class Layer(nn.Module):
    def __init__(self, d, heads, ffn):
        super().__init__()
        self.attention, self.FFN = Attention(d, heads), ffn

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.FFN(x)


class ByteLm(nn.Module):
    """forward: bytes [batch, length up to seq] -> logits [batch, length, 256]. make_ffn(d): a feed-forward module."""

    def __init__(self, d=256, layers=2, heads=4, seq=128, make_ffn=DenseFFN):
        super().__init__()
        self.sizes = {"d": d, "layers": layers, "heads": heads, "seq": seq}
        self.tok, self.pos = nn.Embedding(256, d), nn.Embedding(seq, d)
        self.layer = nn.ModuleList(Layer(d, heads, make_ffn(d)) for _ in range(layers))
        self.LayerNorm = nn.LayerNorm(d)
        nn.init.normal_(self.tok.weight, std=0.05)
        nn.init.normal_(self.pos.weight, std=0.05)

    def forward(self, ids):
        x = self.tok(ids) + self.pos.weight[: ids.shape[1]]
        for layer in self.layer:
            x = layer(x)
        return F.linear(self.LayerNorm(x), self.tok.weight)

    def loss(self, ids):
        """Mean negative log likelihood, in nats a byte, of each byte of `ids` after the first."""
        return F.cross_entropy(self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def continued(self, text, length):
        """`text` and the likeliest `length` bytes after it, one by one."""
        ids = list(text)
        for _ in range(length):
            ids.append(int(self(torch.tensor([ids[-self.sizes["seq"] :]]))[0, -1].argmax()))
        return bytes(ids)


def save(model, path):
    save_model(model, path, {name: str(size) for name, size in model.sizes.items()})


def load(path):
    """A model file, with whichever feed-forward layers it has; as float32, in eval()."""
    tensors, metadata = load_torch_file(path)
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    sizes = {name: int(metadata[name]) for name in ("d", "layers", "heads", "seq")}
    model = ByteLm(**sizes)
    for number, layer in enumerate(model.layer):
        prefix = f"layer.{number}.FFN."
        if prefix + "tables" in tensors:
            layer.FFN = LookupFFN.from_tensors(tensors, prefix, metadata)
    model.load_state_dict(tensors)
    return model.eval()


def python_reference():
    """The reference manual of Python, which Debian's python3 has along (libpython3.11-stdlib)."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics)).encode()


def read_text(path):
    """Bytes [count] as int64; path None: python_reference()."""
    if path is None:
        data = python_reference()
    else:
        with open(os.fspath(path), "rb") as file:
            data = file.read()
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).long()


def batches(text, count, length, generator):
    """Sequences of length + 1 bytes from anywhere in `text`, `count` at a time, without end."""
    while True:
        starts = torch.randint(len(text) - length, (count,), generator=generator)
        yield torch.stack([text[start : start + length + 1] for start in starts])

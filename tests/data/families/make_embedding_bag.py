#!/usr/bin/env python3
"""Makes embedding_bag.*.safetensors: inputs and what numpy makes of them in float64.

Where torch is installed, its embedding_bag has to agree. Usage: make_embedding_bag.py [FOLDER]
"""
import json
import pathlib
import struct
import sys

import numpy as np

TYPES = {np.dtype("float32"): "F32", np.dtype("float16"): "F16", np.dtype("int64"): "I64"}


def write(path, tensors, metadata):
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": TYPES[values.dtype], "shape": list(values.shape), "data_offsets": [end, end + values.nbytes]}
        end += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(values.tobytes() for values in tensors.values()))


def bags_of(offsets, count):
    return list(zip(offsets, list(offsets[1:]) + [count]))


def expect(weight, ids, offsets, sample_weights):
    rows = weight.astype(np.float64)[ids]
    sums, means, weighted = (np.zeros((len(offsets), weight.shape[1])) for _ in range(3))
    for b, (begin, end) in enumerate(bags_of(offsets, len(ids))):
        sums[b] = rows[begin:end].sum(axis=0)
        means[b] = sums[b] / max(1, end - begin)
        weighted[b] = (rows[begin:end] * sample_weights[begin:end, None].astype(np.float64)).sum(axis=0)
    return {"y_sum": sums, "y_mean": means, "y_weighted": weighted}


def agree_with_torch(weight, ids, offsets, sample_weights, expected):
    try:
        import torch
    except ImportError:
        return
    from torch.nn.functional import embedding_bag
    table = torch.from_numpy(weight.astype(np.float64))
    arguments = torch.from_numpy(ids), table, torch.from_numpy(offsets)
    given = {"y_sum": embedding_bag(*arguments, mode="sum"), "y_mean": embedding_bag(*arguments, mode="mean"),
             "y_weighted": embedding_bag(*arguments, mode="sum",
                                         per_sample_weights=torch.from_numpy(sample_weights.astype(np.float64)))}
    for name, values in given.items():
        np.testing.assert_allclose(values.numpy(), expected[name], rtol=1e-12, atol=1e-12)


def make(folder, name, seed, rows, d_out, sizes, weight_name, dtype=np.float32, repeat=False):
    random = np.random.default_rng(seed)
    weight = random.normal(size=(rows, d_out)).astype(dtype)
    count = sum(sizes)
    ids = random.integers(0, rows, count)
    if count > 1:
        ids[0], ids[-1] = 0, rows - 1
    if repeat:
        ids[count // 3: 2 * count // 3] = ids[count // 3]
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    sample_weights = random.normal(size=count).astype(np.float32)
    expected = expect(weight, ids, offsets, sample_weights)
    agree_with_torch(weight, ids, offsets, sample_weights, expected)
    tensors = {weight_name: weight, "ids": ids, "offsets": offsets, "per_sample_weights": sample_weights}
    prefix = weight_name[: -len("embedding_bag.weight")] if weight_name.endswith("embedding_bag.weight") else ""
    tensors = {key if key == weight_name else prefix + key: values for key, values in tensors.items()}
    tensors.update({prefix + key: values.astype(np.float32) for key, values in expected.items()})
    metadata = {} if weight_name.endswith("embedding_bag.weight") else {"family": "embedding_bag"}
    write(folder / f"embedding_bag.{name}.safetensors", tensors, metadata)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    make(folder, "r100_d16", 1, 100, 16, [3, 0, 1, 7, 0, 12, 1], "embedding_bag.weight")
    make(folder, "r37_d1_repeated", 2, 37, 1, [5, 40, 0, 9], "embedding_bag.weight", repeat=True)
    make(folder, "r50_d67_f16_prefix", 3, 50, 67, [2, 30, 1, 0], "encoder.words.embedding_bag.weight", np.float16)
    make(folder, "r5000_d20_torch_name", 4, 5000, 20, [1] * 20 + [0, 0, 17], "weight")
    make(folder, "r1_d130_one_row", 5, 1, 130, [1, 0, 4], "embedding_bag.weight")
    make(folder, "r9_d24_empty_bags", 6, 9, 24, [0, 0, 0], "embedding_bag.weight")


if __name__ == "__main__":
    main()

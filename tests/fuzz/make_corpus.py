#!/usr/bin/env python3
"""Writes the fuzzer's seed corpus: make_corpus.py FOLDER. Small models of each kind, and one file of each kind
of damage. Needs nothing but Python."""
import json
import os
import struct
import sys

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I32": 4, "U8": 1}
HALF = {"F32": b"\0\0\0\x3f", "F16": b"\0\x38", "BF16": b"\0\x3f"}  # 0.5


def layer(prefix, d_in, d_out, tables, bits, block=None):
    outputs = tables * bits
    p = 1 << (d_in - 1).bit_length()
    weight = [outputs, d_in] if block is None else [max(1, -(-outputs // p)), 4, p // block, block, block]
    return {
        prefix + "LayerNorm.weight": [d_in],
        prefix + "LayerNorm.bias": [d_in],
        prefix + "hash.projection.weight": weight,
        prefix + "hash.projection.bias": [outputs],
        prefix + "tables": [tables, 1 << bits, d_out],
        prefix + "bias": [d_out],
    }


def memoryformer(prefix, tables, bits, d_out, d_in=None, projection="hash.projection."):
    """Without d_in there is no projection."""
    tensors = {prefix + "tables": [tables << bits, d_out], prefix + "bias": [d_out]}
    if d_in is not None:
        tensors[prefix + projection + "weight"] = [tables * bits, d_in]
        tensors[prefix + projection + "bias"] = [tables * bits]
    return tensors


def fff(form, depth=1, d_in=2, d_out=1, trees=1, hidden=2):
    nodes, leaves = trees * ((2 << depth) - 1), 1 << depth
    return {
        "linear": {"linear_in.weight": [nodes, d_in], "linear_in.bias": [nodes], "linear_out.weight": [d_out, nodes]},
        "matrices": {"w1s": [nodes, d_in], "w2s": [nodes, d_out]},
        "leaves": {"node_weights": [leaves - 1, d_in], "node_biases": [leaves - 1, 1],
                   "w1s": [leaves, d_in, hidden], "b1s": [leaves, hidden], "w2s": [leaves, hidden, d_out], "b2s": [leaves, d_out]},
    }[form]


def count(shape):
    product = 1
    for extent in shape:
        product *= extent
    return product


def header_of(tensors, dtype, metadata=None):
    header, offset = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, shape in tensors.items():
        size = count(shape) * BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    return header, offset


def file_of(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def model(tensors, dtype, metadata=None):
    header, size = header_of(tensors, dtype, metadata)
    return file_of(header, HALF[dtype] * (size // BYTES[dtype]))


def corpus():
    dense, bh4 = layer("", 2, 1, 1, 1), layer("", 3, 2, 3, 2, block=2)
    yield "valid_dense_f32", model(dense, "F32")
    yield "valid_dense_f16_prefix", model(layer("e.layer.3.FFN.", 2, 1, 1, 2), "F16", {"layer_norm_eps": "1e-3"})
    yield "valid_bh4_bf16", model(bh4, "BF16", {"decay": "0.5"})
    yield "valid_bh4_block1_f32", model(layer("", 2, 1, 1, 1, block=1), "F32")
    yield "valid_bh4_whole_block_f16", model(layer("", 4, 1, 1, 1, block=4), "F16")
    yield "valid_one_by_one", model(layer("", 1, 1, 1, 1, block=1), "BF16")
    yield "valid_two_layers", model({**layer("a.2.", 2, 1, 1, 1), **layer("a.10.", 2, 1, 1, 1, block=2)}, "F16")
    header, size = header_of(dense, "F32")
    data = HALF["F32"] * (size // 4)
    header["other"] = {"dtype": "F64", "shape": [1], "data_offsets": [size, size + 8]}
    yield "valid_other_tensor", file_of(header, data + bytes(8))

    yield "valid_memoryformer", model(memoryformer("a.", 2, 1, 1), "F32", {"bits": "1"})
    yield "valid_memoryformer_bits_of_layers", model(
        {**memoryformer("0.", 1, 2, 1), **memoryformer("2.", 1, 1, 1)}, "F16", {"config": '{"bits": [2, 1]}'})
    yield "valid_memoryformer_dense", model(memoryformer("", 2, 3, 1, d_in=2), "BF16")
    yield "valid_memoryformer_shared", model(
        {**memoryformer("a.query_proj.", 1, 3, 1), **memoryformer("a.", 1, 3, 1, 2, "hash_proj.")}, "F32", {"bits": "3"})
    yield "malformed_memoryformer_bits", model(memoryformer("", 3, 1, 1), "F32", {"bits": "2"})
    yield "malformed_memoryformer_rows", model({**memoryformer("", 1, 3, 1, d_in=2), "tables": [7, 1]}, "F32")
    yield "valid_embedding_bag", model({"a.embedding_bag.weight": [3, 2]}, "F32")
    yield "valid_embedding_bag_plain", model({"weight": [2, 3]}, "BF16", {"family": "embedding_bag"})
    yield "malformed_embedding_bag_rank", model({"embedding_bag.weight": [4]}, "F32")
    yield "malformed_embedding_bag_no_rows", model({"embedding_bag.weight": [0, 2]}, "F32")
    yield "valid_fff_linear", model(fff("linear"), "F32")
    yield "valid_fff_trees", model(fff("linear", trees=2), "F16", {"config": '{"parallel": 2, "depth": 1}'})
    yield "valid_fff_matrices", model(fff("matrices", depth=2), "BF16")
    yield "valid_fff_leaves", model(fff("leaves"), "F32", {"activation": "gelu"})
    yield "malformed_fff_nodes", model({**fff("matrices"), "w1s": [4, 2]}, "F32")
    yield "malformed_fff_trees", model(fff("linear", trees=2), "F32", {"trees": "3"})
    yield "malformed_fff_depth", model(fff("linear"), "F32", {"depth": "99999999"})
    yield "malformed_fff_leaves", model({**fff("leaves"), "b2s": [2, 2]}, "F32")
    yield "malformed_fff_activation", model(fff("leaves"), "F32", {"activation": "tanh"})
    yield "valid_families", model({**dense, **memoryformer("m.", 1, 1, 1), "b.embedding_bag.weight": [1, 1],
                                   **{"f." + name: shape for name, shape in fff("linear").items()}}, "F32", {"bits": "1"})

    header, size = header_of(dense, "F32")
    good = file_of(header, data)
    yield "malformed_empty", b""
    yield "malformed_length", good[:5]
    yield "malformed_header_cut", good[:60]
    yield "malformed_data_cut", good[:-3]
    yield "malformed_trailing", good + b"\0"
    yield "malformed_huge_header", b"\xff" * 8 + good[8:]
    yield "malformed_json", file_of(json.dumps(header).encode()[:-1], data)
    yield "malformed_no_layer", model({"w": [2]}, "F32")
    yield "malformed_nan", good[:-4] + b"\0\0\xc0\x7f"
    yield "malformed_rows", model({**dense, "tables": [1, 3, 1]}, "F32")
    yield "malformed_decay", model(bh4, "BF16", {"decay": "7"})
    yield "malformed_metadata", model(bh4, "BF16", {"decay": 0.7})
    yield "malformed_missing", model({name: shape for name, shape in dense.items() if name != "bias"}, "F32")
    for name, change in {
        "overlap": {"data_offsets": [size - 8, size - 4]},
        "reversed": {"data_offsets": [size, size - 4]},
        "outside": {"data_offsets": [size, size + 4]},
        "overflow": {"shape": [1 << 62, 4]},
        "dtype": {"dtype": "F8"},
        "type": {"dtype": "I32"},
        "negative": {"shape": [-1]},
    }.items():
        damaged = {key: dict(value) for key, value in header.items()}
        damaged["bias"].update(change)
        yield "malformed_" + name, file_of(damaged, data)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, content in corpus():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(content)


if __name__ == "__main__":
    main()

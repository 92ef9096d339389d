#!/usr/bin/env python3
"""Converts checkpoints made here and compares what comes out; with the environment variable LOOKUPFFN_TOOL,
the `lookupffn` program also verifies converted models against float64 results. Exits with 77 (skipped) without torch."""

import contextlib
import importlib.util
import io
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # no __pycache__ beside the scripts
try:
    import numpy  # noqa: F401  (what the converter needs)
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

CONVERTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "convert_checkpoint.py")
spec = importlib.util.spec_from_file_location("convert_checkpoint", CONVERTER)
convert_checkpoint = importlib.util.module_from_spec(spec)
spec.loader.exec_module(convert_checkpoint)
TOOL = os.environ.get("LOOKUPFFN_TOOL")
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I32": torch.int32, "I64": torch.int64}


class Bh4(torch.nn.Module):
    def __init__(self, d_in, d_out, block):
        super().__init__()
        self.padded = 1 << (d_in - 1).bit_length()
        repeats = max(1, -(-d_out // self.padded))
        shape = (repeats, 4, self.padded // block, block, block)
        self.weight = torch.nn.Parameter(torch.randn(shape) / math.sqrt(block * self.padded))
        self.bias = torch.nn.Parameter(torch.randn(d_out) / 10)

    def hadamard(self, x):  # unnormalised, Sylvester's order
        step = 1
        while step < self.padded:
            pairs = x.reshape(len(x), -1, 2, step)
            x = torch.stack((pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]), 2).reshape(len(x), -1)
            step *= 2
        return x

    def forward(self, h, decay):
        h = torch.nn.functional.pad(h, (0, self.padded - h.shape[1]))
        parts = []
        for stages in self.weight:
            y = h
            for blocks in stages:
                count, block, _ = blocks.shape
                y = self.hadamard(torch.einsum("noi,tni->tno", blocks, y.reshape(len(h), count, block)).reshape(len(h), -1))
            parts.append(decay * y + (1 - decay) * h)
        return torch.cat(parts, 1)[:, : len(self.bias)] + self.bias


class Hash(torch.nn.Module):
    def __init__(self, d_in, outputs, block):
        super().__init__()
        self.projection = Bh4(d_in, outputs, block) if block else torch.nn.Linear(d_in, outputs)


class LookupFfn(torch.nn.Module):
    """The training code's module: same parameter names, same formulas."""

    def __init__(self, d_in=24, d_out=10, tables=6, bits=3, block=8, eps=1e-5):
        super().__init__()
        self.LayerNorm = torch.nn.LayerNorm(d_in, eps=eps)
        torch.nn.init.normal_(self.LayerNorm.weight, 1, 0.1)
        torch.nn.init.normal_(self.LayerNorm.bias, 0, 0.1)
        self.hash = Hash(d_in, tables * bits, block)
        self.tables = torch.nn.Parameter(torch.randn(tables, 1 << bits, d_out))
        self.bias = torch.nn.Parameter(torch.randn(d_out))

    def results(self, x, decay=0.7):
        """x, z, code, score, y for the tokens in x whose codes no rounding can change."""
        h = self.LayerNorm(x)
        projection = self.hash.projection
        z = projection(h, decay) if isinstance(projection, Bh4) else projection(h)
        keep = z.abs().amin(1) > 1e-4
        x, z = x[keep], z[keep].reshape(-1, self.tables.shape[0], self.tables.shape[1].bit_length() - 1)
        bits = z.shape[2]
        code = ((z > 0).long() << torch.arange(bits - 1, -1, -1)).sum(2)
        score = z.abs().sum(2) / (1 + torch.exp(-2 * z.abs())).prod(2)
        rows = self.tables[torch.arange(len(self.tables)), code]
        y = self.bias + (score[:, :, None] * rows).sum(1)
        return {"x": x.float(), "z": z.float(), "code": code.int(), "score": score.float(), "y": y.float()}


class Encoder(torch.nn.Module):
    """Two LookupFFN layers and things of other kinds, named as in the training code."""

    def __init__(self):
        super().__init__()
        layers = []
        for block in (8, None):
            layer = torch.nn.Module()
            layer.FFN = LookupFfn(block=block)
            layer.query = torch.nn.Linear(24, 24)
            layers.append(layer)
        self.roberta = torch.nn.Module()
        self.roberta.layer = torch.nn.ModuleList(layers)
        self.decoder = torch.nn.Linear(24, 24)
        self.decoder.weight = layers[0].query.weight  # tied
        self.register_buffer("position_ids", torch.arange(5))


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata, tensors, end = header.pop("__metadata__"), {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert entry["data_offsets"][0] == end, f"a gap or an overlap before {name}"
        start, end = entry["data_offsets"]
        values = torch.frombuffer(bytearray(body[start:end]), dtype=TYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    assert end == len(body)
    return tensors, metadata


def write_safetensors(path, tensors):
    """For F32 and I32 tensors: the input of `lookupffn verify`."""
    header, blobs, offset = {}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.detach().contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int32: "I32"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class RunsCode:
    """Unpickling this would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


class ConvertCheckpointTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.output = self.path("model.safetensors")

    def path(self, name):
        return os.path.join(self.folder, name)

    def save(self, checkpoint, name="checkpoint.pt"):
        torch.save(checkpoint, self.path(name))
        return self.path(name)

    def run_converter(self, *arguments):
        """In this process: a new one would take a second to load torch."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = convert_checkpoint.main(list(arguments))
            except SystemExit as error:  # argparse's way
                status = error.code
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def convert(self, checkpoint, *arguments):
        result = self.run_converter(self.save(checkpoint), self.output, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return read_safetensors(self.output)

    def assert_refused(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertFalse(os.path.exists(self.output))
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("model.safetensors")], [])

    def assert_same(self, tensors, state):
        self.assertEqual(sorted(tensors), sorted(state))
        for name, tensor in state.items():
            self.assertEqual(tensors[name].dtype, tensor.dtype, name)
            self.assertTrue(torch.equal(tensors[name], tensor), name)

    def verify(self, layer, decay=0.7, prefix=None):
        """`lookupffn verify` of the converted file against the layer in float64, from the file's own values."""
        if not TOOL:
            self.skipTest("LOOKUPFFN_TOOL is not set")
        tensors, _ = read_safetensors(self.output)
        prefix = prefix or ""
        values = {name[len(prefix):]: value for name, value in tensors.items() if name.startswith(prefix)}
        layer = layer.double()
        layer.load_state_dict({name: value.double() for name, value in values.items()})
        x = torch.randn(40, layer.LayerNorm.weight.shape[0]).double()
        with torch.no_grad():
            results = layer.results(x, decay)
        self.assertGreater(len(results["x"]), 20)
        write_safetensors(self.path("io.safetensors"), results)
        command = [TOOL, "verify", self.output, self.path("io.safetensors")] + (["--prefix", prefix] if prefix else [])
        run = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        results["y"][3, 2] += 0.1  # what verify must not let pass
        write_safetensors(self.path("io.safetensors"), results)
        self.assertNotEqual(subprocess.run(command, capture_output=True).returncode, 0)

    # ---- what is written ----

    def test_state_dict_of_a_layer(self):
        for block in (1, 8, 32, None):
            with self.subTest(block=block):
                layer = LookupFfn(block=block)
                tensors, metadata = self.convert(layer.state_dict())
                self.assert_same(tensors, layer.state_dict())
                self.assertEqual(metadata, {"decay": "0.7", "layer_norm_eps": "1e-05"})

    def test_as_a_program(self):
        checkpoint = self.save(LookupFfn().state_dict())
        run = [sys.executable, CONVERTER, checkpoint, self.output]
        self.assertEqual(subprocess.run(run, capture_output=True).returncode, 0)
        self.assertEqual(len(read_safetensors(self.output)[0]), 6)
        self.assertEqual(subprocess.run(run + ["--prefix", "x"], capture_output=True).returncode, 1)

    def test_metadata_options(self):
        _, metadata = self.convert(LookupFfn().state_dict(), "--decay", "0.25", "--layer-norm-eps", "1e-12")
        self.assertEqual({key: float(value) for key, value in metadata.items()},
                         {"decay": 0.25, "layer_norm_eps": 1e-12})

    def test_lightning_checkpoint(self):
        model = Encoder()
        state = {"model." + name: value for name, value in model.state_dict().items()}
        tensors, _ = self.convert({"epoch": 3, "global_step": 7, "state_dict": state, "optimizer_states": [{}]})
        self.assert_same(tensors, {n: v for n, v in model.state_dict().items() if ".FFN." in n})
        self.assertEqual(len(tensors), 12)

    def test_data_parallel_names(self):
        layer = LookupFfn()
        tensors, _ = self.convert({"module." + name: value for name, value in layer.state_dict().items()})
        self.assert_same(tensors, layer.state_dict())

    def test_prefix_picks_layers(self):
        model = Encoder()
        prefix = "roberta.layer.1."
        tensors, _ = self.convert(model.state_dict(), "--prefix", prefix)
        self.assert_same(tensors, {n: v for n, v in model.state_dict().items() if n.startswith(prefix + "FFN.")})

    def test_all_keeps_other_and_tied_tensors(self):
        model = Encoder()
        tensors, _ = self.convert(model.state_dict(), "--all")
        self.assert_same(tensors, model.state_dict())
        self.assertTrue(torch.equal(tensors["decoder.weight"], tensors["roberta.layer.0.query.weight"]))

    def test_types_are_kept(self):
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            with self.subTest(dtype=dtype):
                layer = LookupFfn().to(dtype)
                tensors, _ = self.convert(layer.state_dict())
                self.assert_same(tensors, layer.state_dict())

    def test_float64_becomes_float32(self):
        layer = LookupFfn().double()
        tensors, _ = self.convert(layer.state_dict())
        self.assert_same(tensors, layer.float().state_dict())

    def test_dtype_option(self):
        layer = LookupFfn()
        state = dict(layer.state_dict(), tables=layer.tables.detach().half())
        tensors, _ = self.convert(state, "--dtype", "bf16")
        self.assert_same(tensors, {name: value.bfloat16() for name, value in state.items()})

    def test_tensors_that_are_not_contiguous(self):
        state = dict(LookupFfn(block=None).state_dict())
        expected = {name: value.clone() for name, value in state.items()}
        state["hash.projection.weight"] = state["hash.projection.weight"].t().contiguous().t()
        state["bias"] = torch.stack((state["bias"], -state["bias"]), 1)[:, 0]
        state["LayerNorm.bias"] = torch.zeros(1).expand(24)
        expected["LayerNorm.bias"] = torch.zeros(24)
        self.assertFalse(state["hash.projection.weight"].is_contiguous())
        tensors, _ = self.convert(state)
        self.assert_same(tensors, expected)

    def test_list(self):
        result = self.run_converter(self.save(Encoder().state_dict()), "--list")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("'roberta.layer.0.FFN.': 24 to 10, 6 tables of 8 rows, BH4, blocks of 8, 1 repeat", result.stdout)
        self.assertIn("'roberta.layer.1.FFN.': 24 to 10, 6 tables of 8 rows, dense", result.stdout)
        self.assertFalse(os.path.exists(self.output))

    def test_replaces_an_older_file(self):
        self.convert(LookupFfn().state_dict())
        layer = LookupFfn()
        tensors, _ = self.convert(layer.state_dict())
        self.assert_same(tensors, layer.state_dict())

    # ---- what the library makes of it ----

    def test_library_computes_what_torch_computes(self):
        cases = {
            "bh4": (LookupFfn(), ()),
            "bh4, three repeats, padded": (LookupFfn(d_in=20, tables=16, bits=5, block=16), ()),
            "dense": (LookupFfn(d_in=33, d_out=7, tables=5, bits=6, block=None), ()),
            "f16": (LookupFfn().half(), ()),
            "bf16": (LookupFfn(), ("--dtype", "bf16")),
        }
        for name, (layer, arguments) in cases.items():
            with self.subTest(name):
                self.convert(layer.state_dict(), *arguments)
                self.verify(layer)

    def test_library_reads_the_metadata(self):
        layer = LookupFfn(eps=0.1)
        self.convert(layer.state_dict(), "--decay", "0.3", "--layer-norm-eps", "0.1")
        self.verify(layer, decay=0.3)

    def test_library_finds_the_prefix(self):
        model = Encoder()
        self.convert({"state_dict": {"model." + name: value for name, value in model.state_dict().items()}}, "--all")
        self.verify(model.roberta.layer[0].FFN, prefix="roberta.layer.0.FFN.")

    # ---- what is refused ----

    def refuse(self, state, *words, arguments=()):
        self.assert_refused(self.run_converter(self.save(state), self.output, *arguments), *words)

    def test_missing_file(self):
        self.assert_refused(self.run_converter(self.path("nowhere.pt"), self.output), "nowhere.pt", "no such file")

    def test_damaged_files(self):
        with open(self.save(LookupFfn().state_dict()), "rb") as file:
            whole = file.read()
        for name, data in {"empty": b"", "text": b"not a checkpoint", "cut": whole[: len(whole) // 2]}.items():
            with self.subTest(name):
                with open(self.path("damaged.pt"), "wb") as file:
                    file.write(data)
                self.assert_refused(self.run_converter(self.path("damaged.pt"), self.output), "damaged.pt")

    def test_code_in_a_checkpoint_is_not_run(self):
        planted = self.path("planted")
        state = {"state_dict": LookupFfn().state_dict(), "callbacks": RunsCode(planted)}
        torch_file = self.save({"state_dict": state["state_dict"], "callbacks": None})
        with open(self.path("plain.pt"), "wb") as file:
            torch.save(state, file)
        self.assert_refused(self.run_converter(self.path("plain.pt"), self.output), "--trust")
        self.assertFalse(os.path.exists(planted))
        self.assertEqual(self.run_converter(torch_file, self.output, "--trust").returncode, 0)

    def test_no_layers_and_wrong_prefix(self):
        self.refuse(torch.nn.Linear(3, 4).state_dict(), "no LookupFFN layer")
        self.refuse(torch.zeros(3), "Tensor")
        self.refuse(Encoder().state_dict(), "'decoder.'", "roberta.layer.0.FFN.", arguments=("--prefix", "decoder."))

    def test_missing_parameters(self):
        for name in LookupFfn().state_dict():
            with self.subTest(name):
                state = dict(LookupFfn().state_dict())
                del state[name]
                self.refuse(state, f"no tensor '{name}'")

    def test_wrong_shapes(self):
        wrong = {
            "LayerNorm.weight": [(23,), (24, 1), (0,)],
            "LayerNorm.bias": [(25,)],
            "hash.projection.weight": [(18, 23), (17, 24), (1, 4, 4, 8), (2, 4, 4, 8, 8), (1, 3, 4, 8, 8),
                                       (1, 4, 2, 8, 8), (1, 4, 4, 8, 4), (1, 4, 1, 64, 64), (1, 4, 5, 6, 6)],
            "hash.projection.bias": [(17,), (18, 1)],
            "tables": [(6, 7, 10), (6, 1, 10), (6, 80), (5, 8, 10), (6, 8, 0)],
            "bias": [(9,), (1, 10)],
        }
        for name, shapes in wrong.items():
            for shape in shapes:
                with self.subTest(name, shape=shape):
                    state = dict(LookupFfn().state_dict())
                    state[name] = torch.zeros(shape)
                    self.refuse(state, "has shape", "expected")

    def test_wrong_values(self):
        for value in (math.nan, math.inf):
            state = dict(LookupFfn().state_dict())
            state["tables"] = state["tables"].clone()
            state["tables"][2, 3, 4] = value
            self.refuse(state, "'tables'", "not finite")
        self.refuse(dict(LookupFfn().state_dict(), bias=torch.zeros(10, dtype=torch.int64)), "'bias'", "int64")
        self.refuse(dict(LookupFfn().state_dict(), bias=torch.full((10,), 1e6)), "'bias'", "cannot hold",
                    arguments=("--dtype", "f16"))

    def test_name_that_is_there_twice(self):
        state = dict(LookupFfn().state_dict())
        state["model.bias"] = state["bias"]
        self.refuse({"state_dict": state}, "'bias'", "twice")

    def test_output_that_cannot_be_written(self):
        checkpoint = self.save(LookupFfn().state_dict())
        target = self.path("nowhere/model.safetensors")
        self.assert_refused(self.run_converter(checkpoint, target), target, "cannot be written")
        os.mkdir(self.path("folder"))
        self.assert_refused(self.run_converter(checkpoint, self.path("folder")), "cannot be written")
        self.assertEqual(sorted(os.listdir(self.folder)), ["checkpoint.pt", "folder"])

    def test_output_that_is_the_checkpoint(self):
        checkpoint = self.save(LookupFfn().state_dict())
        with open(checkpoint, "rb") as file:
            before = file.read()
        os.symlink(checkpoint, self.path("link"))
        for target in (checkpoint, self.path("link")):
            self.assert_refused(self.run_converter(checkpoint, target), target, "is the checkpoint itself")
        with open(checkpoint, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_output_keeps_its_mode(self):
        self.convert(LookupFfn().state_dict())
        os.chmod(self.output, 0o600)
        self.convert(LookupFfn().state_dict())
        self.assertEqual(os.stat(self.output).st_mode & 0o777, 0o600)

    def test_wrong_options(self):
        checkpoint = self.save(LookupFfn().state_dict())
        for arguments in ((), (self.output, "--list"), (self.output, "--decay", "2"), (self.output, "--decay", "x"),
                          (self.output, "--layer-norm-eps", "0"), (self.output, "--dtype", "i8")):
            with self.subTest(arguments):
                self.assertEqual(self.run_converter(checkpoint, *arguments).returncode, 2)
        self.assertFalse(os.path.exists(self.output))


if __name__ == "__main__":
    unittest.main()

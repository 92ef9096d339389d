"""LookupFFN modules: names and files, train and eval, initial weights, replace()."""

import copy
import os
import tempfile
import unittest
import unittest.mock

import testing

torch = testing.need_torch()

import lookupffn  # noqa: E402
from lookupffn import nn, packing  # noqa: E402
from lookupffn.safetensors_file import load_file, load_torch_file, save_file  # noqa: E402

BYTE_LM = os.path.join(testing.SOURCE, "examples", "byte_lm", "data", "byte_lm_lookup.safetensors")


def layers():
    """One of each kind."""
    torch.manual_seed(11)
    return {
        "bh4": nn.LookupFFN(64, 32, 10, 6),
        "dense": nn.LookupFFN(20, 33, 5, 3, "dense"),
        "padded, repeats": nn.LookupFFN(20, 20, 30, 4, block=8, decay=0.4, layer_norm_eps=1e-3),
        "tiny": nn.LookupFFN(1, 1, 1, 1),
        "sparse": nn.LookupFFN(16, 8, 4, 4, sparse=True),
    }


class LayerTest(unittest.TestCase):
    def test_published_names(self):
        for layer in layers().values():
            self.assertEqual(set(layer.state_dict()), set(packing.NAMES))
        self.assertEqual(dict(layers()["bh4"].named_parameters())["hash.projection.weight"].shape, (1, 4, 1, 64, 64))

    def test_train_and_eval_agree(self):
        for name, layer in layers().items():
            with self.subTest(name):
                x = torch.randn(3, 40, layer.hash.projection.d_in)
                trained, evaluated = layer.train()(x), layer.eval()(x)
                self.assertEqual(evaluated.shape, trained.shape)
                torch.testing.assert_close(evaluated, trained, rtol=1e-3, atol=1e-4)
                with torch.no_grad():
                    model = lookupffn.Model.from_tensors(
                        layer.state_dict(), {"decay": repr(layer.decay), "layer_norm_eps": repr(layer.layer_norm_eps)}
                    )
                    expected = model.pack().forward(x.numpy())
                    self.assertTrue(torch.equal(layer(x), torch.from_numpy(expected)))

    def test_golden_cases(self):
        for name in testing.golden_names():
            with self.subTest(name), torch.no_grad():
                prefix = lookupffn.Model(testing.golden(name, "model")).layers[0].prefix
                layer = nn.from_file(testing.golden(name, "model"), prefix)
                case, _ = load_torch_file(testing.golden(name, "io"))
                for mode in (True, False):
                    torch.testing.assert_close(layer.train(mode)(case["x"]), case["y"], rtol=1e-3, atol=1e-4)

    def test_eval_follows_training(self):
        layer = layers()["bh4"]
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
        x = torch.randn(30, 64)
        with torch.no_grad():
            before = layer.eval()(x)
        layer.train()(x).square().sum().backward()
        optimizer.step()
        with torch.no_grad():
            after, trained = layer.eval()(x), layer.train()(x)
        self.assertFalse(torch.equal(before, after))
        torch.testing.assert_close(after, trained, rtol=1e-3, atol=1e-4)

    def test_changes_of_data_are_seen_after_a_change_of_mode(self):
        layer, x = layers()["bh4"], torch.randn(30, 64)
        with torch.no_grad():
            before = layer.eval()(x)
            layer.train()
            for parameter in layer.parameters():
                parameter.data.mul_(0.5)
            after = layer.eval()(x)
            self.assertFalse(torch.equal(before, after))
            torch.testing.assert_close(after, layer.train()(x), rtol=1e-3, atol=1e-4)

    def test_other_dtypes(self):
        for name, layer in layers().items():
            x = torch.randn(9, layer.hash.projection.d_in)
            for mode in (True, False):
                layer.train(mode)
                expected = layer(x.bfloat16().float())
                for dtype in (torch.bfloat16, torch.float16):
                    y = layer(x.bfloat16().to(dtype))
                    with self.subTest(name, mode=mode, dtype=dtype):
                        self.assertEqual(y.dtype, dtype)
                        torch.testing.assert_close(y.float(), expected, rtol=1e-2, atol=1e-2)
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    first = torch.nn.Linear(9, x.shape[1])
                    y = layer(first(torch.randn(4, 9)))
                self.assertEqual(y.dtype, torch.bfloat16)
                y.sum().backward()
                self.assertIsNotNone(first.weight.grad)
            double = copy.deepcopy(layer).double()
            torch.testing.assert_close(double.eval()(x.double()).float(), layer.eval()(x), rtol=1e-3, atol=1e-3)
            double(x.double()).sum().backward()
            self.assertEqual(double.bias.grad.dtype, torch.float64)

    def test_torch_s_number_of_threads(self):
        layer, x, before = layers()["bh4"].eval(), torch.randn(30, 64), torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            with torch.no_grad(), unittest.mock.patch.object(lookupffn.Layer, "_forward", autospec=True) as forward:
                layer(x)
            self.assertEqual(getattr(forward.call_args[0][-1], "count", lookupffn.default_thread_count()), 1)
        finally:
            torch.set_num_threads(before)

    def test_options_of_packing(self):
        x = torch.randn(30, 64)
        with torch.no_grad():
            exact = layers()["bh4"].eval()(x)
            layer = layers()["bh4"].eval()
            layer.table_type = "i8"
            self.assertFalse(torch.equal(layer(x), exact))
            torch.testing.assert_close(layer(x), exact, rtol=0.1, atol=0.1)
            layer.isa = "pentium"
            with self.assertRaisesRegex(lookupffn.Error, "pentium"):
                layer(x)

    def test_copies_and_pickles(self):
        for name, layer in layers().items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder, torch.no_grad():
                x = torch.randn(5, layer.hash.projection.d_in)
                y = layer.eval()(x)
                again = copy.deepcopy(layer)
                self.assertTrue(torch.equal(again(x), y))
                again.bias += 1
                self.assertFalse(torch.equal(again(x), y))
                self.assertTrue(torch.equal(layer(x), y))
                path = os.path.join(folder, "layer.pt")
                torch.save(layer, path)
                options = {"weights_only": False} if int(torch.__version__.split(".")[0]) >= 2 else {}
                self.assertTrue(torch.equal(torch.load(path, **options)(x), y))

    def test_initial_weights(self):
        """z and y have the deviations that reset_parameters promises, and gradients reach x neither grown nor vanished."""
        torch.manual_seed(5)
        for options in (
            {"tables": 64, "bits": 8},
            {"tables": 100, "bits": 4, "projection": "dense"},
            {"tables": 150, "bits": 5, "block": 16},
            {"d_in": 200, "tables": 40, "bits": 6, "decay": 0.5},
        ):
            with self.subTest(options):
                layer = nn.LookupFFN(**{"d_in": 256, "d_out": 128, **options})
                x = torch.randn(500, layer.hash.projection.d_in, requires_grad=True)
                y, z = layer(x), testing.z_of(x, *layer.weights[:4], layer.decay, layer.layer_norm_eps)
                self.assertAlmostEqual(float(z.std()), 1, delta=0.1)
                self.assertAlmostEqual(float(y.std()), 0.2, delta=0.04)
                y.backward(torch.randn(y.shape))
                self.assertTrue(0.02 < float(x.grad.std()) < 5, float(x.grad.std()))

    def test_parameter_groups(self):
        model = torch.nn.Sequential(layers()["bh4"], layers()["dense"])
        groups = nn.parameter_groups(model, 0.01)
        rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
        self.assertEqual(len(rates), len(list(model.parameters())))
        weight = model[0].hash.projection.weight
        self.assertAlmostEqual(rates.pop(id(weight)), 0.01 * float(weight[:, :-1].square().mean().sqrt()) * 64**0.5 / 4)
        self.assertEqual(set(rates.values()), {0.01})

    def test_what_is_refused(self):
        for words, options in (
            ("tables", {"tables": 0}),
            ("'bh4' or 'dense'", {"projection": "sparse"}),
            ("power of two up to 16", {"block": 32}),
            ("power of two up to 16", {"block": 3}),
            ("no block", {"projection": "dense", "block": 4}),
            ("no decay", {"projection": "dense", "decay": 0.5}),
            ("bits is 17; it is at most 16", {"bits": 17}),
            ("decay is 1.5; it is from 0 to 1", {"decay": 1.5}),
            ("decay is nan", {"decay": float("nan")}),
            ("layer_norm_eps is 0", {"layer_norm_eps": 0}),
        ):
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                nn.LookupFFN(**{"d_in": 16, "d_out": 4, "tables": 3, "bits": 2, **options})


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "model.safetensors")

    def test_save_and_load(self):
        torch.manual_seed(2)

        def new():
            return torch.nn.Sequential(torch.nn.Linear(3, 16), nn.LookupFFN(16, 16, 4, 3, decay=0.4, layer_norm_eps=1e-3))

        one, two = new(), new()
        nn.save(one, self.path, {"steps": "100"})
        self.assertEqual(nn.load(two, self.path)["steps"], "100")
        x = torch.randn(9, 3)
        with torch.no_grad():
            self.assertTrue(torch.equal(one.eval()(x), two.eval()(x)))
            model = lookupffn.Model(self.path)  # the C API's file, with its decay
            self.assertEqual(model.layers[0].prefix, "1.")
            self.assertTrue(torch.equal(torch.from_numpy(model.pack("1.").forward(one[0](x).numpy())), one(x)))
            self.assertTrue(torch.equal(nn.from_file(self.path, "1.").eval()(one[0](x)), one(x)))
        other = torch.nn.Sequential(torch.nn.Linear(3, 16), nn.LookupFFN(16, 16, 4, 3))
        with self.assertRaisesRegex(ValueError, "decay|layer_norm_eps"):
            nn.load(other, self.path)

    def test_layers_that_differ(self):
        model = torch.nn.ModuleList([nn.LookupFFN(8, 8, 2, 2, decay=decay) for decay in (0.7, 0.6)])
        with self.assertRaisesRegex(ValueError, "'0' and '1' have decay"):
            nn.save(model, self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_bfloat16(self):
        layer = layers()["bh4"]
        save_file(self.path, {name: tensor.bfloat16() for name, tensor in layer.state_dict().items()})
        read, _ = load_torch_file(self.path)
        self.assertEqual(read["tables"].dtype, torch.bfloat16)
        self.assertTrue(torch.equal(read["tables"], layer.tables.detach().bfloat16()))
        self.assertTrue((load_file(self.path)[0]["tables"] == layer.tables.detach().bfloat16().float().numpy()).all())
        self.assertTrue(torch.equal(nn.from_file(self.path).tables, read["tables"].float()))

    def test_a_published_layer(self):
        prefix = lookupffn.Model(BYTE_LM).layers[1].prefix
        layer = nn.from_file(BYTE_LM, prefix).eval()
        x = torch.randn(20, 256)
        with torch.no_grad():
            expected = lookupffn.Model(BYTE_LM).pack(prefix).forward(x.numpy())
            self.assertTrue(torch.equal(layer(x), torch.from_numpy(expected)))
        with self.assertRaisesRegex(KeyError, "nowhere.LayerNorm.weight"):
            nn.from_file(BYTE_LM, "nowhere.")

    def test_tensors_that_do_not_fit(self):
        state = dict(layers()["dense"].state_dict())
        with self.assertRaisesRegex(ValueError, "power of two"):
            nn.LookupFFN.from_tensors(dict(state, tables=state["tables"][:, :7]))
        with self.assertRaisesRegex(ValueError, "hash.projection.bias"):
            nn.LookupFFN.from_tensors(dict(state, **{"hash.projection.bias": torch.zeros(3)}))


class ReplaceTest(unittest.TestCase):
    def encoder(self):
        torch.manual_seed(0)
        return torch.nn.ModuleDict(
            {
                str(i): torch.nn.ModuleDict(
                    {
                        "attention": torch.nn.Linear(16, 16),
                        "mlp": torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.GELU(), torch.nn.Linear(64, 12)),
                    }
                )
                for i in range(3)
            }
        )

    def test_by_predicate(self):
        model = self.encoder().eval()
        new = lookupffn.replace(model, lambda name, module: name.endswith("mlp"), tables=4, bits=3)
        self.assertEqual(list(new), ["0.mlp", "1.mlp", "2.mlp"])
        self.assertIs(model["1"]["mlp"], new["1.mlp"])
        self.assertFalse(new["1.mlp"].training)
        self.assertEqual(new["1.mlp"](torch.randn(2, 16)).shape, (2, 12))
        self.assertIsInstance(model["1"]["attention"], torch.nn.Linear)

    def test_by_name_and_make(self):
        model = self.encoder()
        lookupffn.replace(model, ["2.mlp"], tables=4, bits=3, d_out=16)
        self.assertEqual(model["2"]["mlp"].tables.shape, (4, 8, 16))
        lookupffn.replace(model, "1.mlp", make=lambda name, old: torch.nn.Linear(old[0].in_features, 12))
        self.assertIsInstance(model["1"]["mlp"], torch.nn.Linear)
        sequential = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 6))
        lookupffn.replace(sequential, ["0"], tables=4, bits=3)
        self.assertEqual(sequential(torch.randn(2, 8)).shape, (2, 6))

    def test_inside_what_is_replaced(self):
        new = lookupffn.replace(self.encoder(), lambda name, module: "mlp" in name, tables=4, bits=3)
        self.assertEqual(list(new), ["0.mlp", "1.mlp", "2.mlp"])

    def test_a_module_under_two_names(self):
        mlp = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.GELU(), torch.nn.Linear(64, 16))
        model = torch.nn.ModuleDict({"a": torch.nn.ModuleDict({"mlp": mlp}), "b": torch.nn.ModuleDict({"mlp": mlp})})
        with self.assertRaisesRegex(ValueError, "'a.mlp' and 'b.mlp' are the same module"):
            lookupffn.replace(model, ["a.mlp", "b.mlp"], tables=4, bits=3)
        new = lookupffn.replace(model, lambda name, module: name.endswith("mlp"), tables=4, bits=3)
        self.assertEqual(list(new), ["a.mlp"])
        self.assertIs(model["a"]["mlp"], new["a.mlp"])
        self.assertIs(model["b"]["mlp"], new["a.mlp"])

    def test_models_of_other_dtypes(self):
        for dtype in (torch.float64, torch.bfloat16):
            model = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Linear(32, 8))).to(dtype)
            lookupffn.replace(model, ["0"], tables=4, bits=3)
            for mode in (True, False):
                self.assertEqual(model.train(mode)(torch.randn(3, 8, dtype=dtype)).dtype, dtype)

    def test_overlapping_names(self):
        model = self.encoder()
        for names in (["0", "0.mlp"], ["1.mlp.0", "1.mlp"], ["0.mlp.0+0.mlp.2", "0.mlp"], ["0.mlp.0+0.mlp.2", "0.mlp.2"]):
            with self.subTest(names), self.assertRaisesRegex(ValueError, "overlap: replace one"):
                lookupffn.replace(model, names, tables=4, bits=3)
        self.assertFalse(any(isinstance(module, nn.LookupFFN) for module in model.modules()))

    def test_transformers_of_torch(self):
        """In train, in eval with its fused paths, and for a decoder."""
        torch.manual_seed(0)
        encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(16, 2, 64, batch_first=True), 2)
        new = lookupffn.replace(encoder, lambda name, m: isinstance(m, torch.nn.TransformerEncoderLayer), tables=6, bits=4)
        self.assertEqual(list(new), ["layers.0", "layers.1"])
        self.assertEqual(new["layers.1"].tables.shape, (6, 16, 16))
        x, padding = torch.randn(2, 5, 16), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
        encoder.train()(x, src_key_padding_mask=padding).sum().backward()
        self.assertIsNotNone(new["layers.0"].tables.grad)
        encoder.eval()
        with torch.no_grad():
            y = encoder(x, src_key_padding_mask=padding)
            for layer in new.values():
                layer.tables.zero_()
                layer.bias.fill_(1)
            constant = encoder(x, src_key_padding_mask=padding)
            self.assertFalse(torch.equal(y[0], constant[0]))
            block = encoder.layers[0]
            h = block.norm1(x + block.self_attn(x, x, x)[0])
            torch.testing.assert_close(block(x), block.norm2(h + 1), rtol=1e-4, atol=1e-5)
        decoder = torch.nn.TransformerDecoderLayer(16, 2, 64, batch_first=True).eval()
        holder = torch.nn.ModuleList([decoder])
        lookupffn.replace(holder, ["0"], tables=6, bits=4)
        self.assertEqual(decoder(x, x).shape, x.shape)

    def test_what_is_refused(self):
        model = self.encoder()
        before = copy.deepcopy(model.state_dict())
        with self.assertRaisesRegex(ValueError, "'0.mlq'.*'0.mlp'"):
            lookupffn.replace(model, ["1.mlp", "0.mlq"], tables=4, bits=3)
        with self.assertRaisesRegex(ValueError, "none"):
            lookupffn.replace(model, lambda name, module: False, tables=4, bits=3)
        with self.assertRaisesRegex(ValueError, "'0.mlp.1' .GELU. has no linear"):
            lookupffn.replace(model, ["1.mlp", "0.mlp.1"], tables=4, bits=3)
        self.assertEqual(list(model.state_dict()), list(before))


@unittest.skipUnless(int(torch.__version__.split(".")[0]) >= 2, "torch 2 compiles and exports")
class TorchTwoTest(unittest.TestCase):
    def test_export_and_compile(self):
        for name, layer in layers().items():
            with self.subTest(name):
                model = torch.nn.Sequential(torch.nn.Linear(4, layer.hash.projection.d_in), layer).eval()
                x = torch.randn(6, 4)
                expected = model(x)
                self.assertTrue(torch.equal(torch.export.export(model, (x,)).module()(x), expected))
                torch._dynamo.reset()  # each layer is compiled anew
                compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
                self.assertTrue(torch.equal(compiled(x), expected))


if __name__ == "__main__":
    testing.main()

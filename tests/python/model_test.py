"""Models: shapes, files and memory, what is refused."""

import os
import pickle
import tempfile
import unittest

import numpy as np
import testing

import lookupffn
from lookupffn.safetensors_file import load_file, save_file


class ModelTest(unittest.TestCase):
    def test_shape(self):
        (shape,) = lookupffn.Model(testing.golden("bh4_d256_t64_b8_repeat2", "model")).layers
        sizes = (shape.d_in, shape.tables, shape.bits, shape.rows, shape.lookups, shape.repeats)
        self.assertEqual(sizes, (256, 64, 8, 256, 64, 2))
        self.assertEqual((shape.family, shape.projection, shape.prefix), ("lookupffn", "bh4", ""))
        self.assertAlmostEqual(shape.decay, 0.7, places=6)
        self.assertAlmostEqual(shape.layer_norm_eps, 1e-5, places=10)

    def test_several_layers(self):
        path = os.path.join(testing.SOURCE, "examples", "byte_lm", "data", "byte_lm_lookup.safetensors")
        model = lookupffn.Model(path)
        self.assertEqual(len(model.layers), 2)
        for shape in model.layers:
            self.assertEqual(model.pack(shape.prefix).shape, shape)
        with self.assertRaisesRegex(lookupffn.Error, "prefix") as caught:
            model.pack("nowhere.")
        self.assertEqual(caught.exception.status, "not_found")
        self.assertIn(model.layers[1].prefix, repr(model))

    def test_paths(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "mödel.safetensors")
            os.symlink(testing.golden("dense_d8_t1_b1", "model"), path)
            self.assertEqual(len(lookupffn.Model(path).layers), 1)

    def test_memory_and_tensors(self):
        path = testing.golden("bh4_d128_t10_b6_f16_prefix_decay05", "model")
        from_file = lookupffn.Model(path)
        with open(path, "rb") as file:
            content = file.read()
        tensors, metadata = load_file(path)
        x = np.random.default_rng(1).standard_normal((9, 128), np.float32)
        y = from_file.pack().forward(x)
        for model in (lookupffn.Model(content), lookupffn.Model.from_tensors(tensors, metadata)):
            self.assertEqual(model.layers, from_file.layers)
            np.testing.assert_array_equal(model.pack().forward(x), y)
        # Without the metadata decay is another.
        other = lookupffn.Model.from_tensors(tensors).pack().forward(x)
        self.assertFalse(np.array_equal(other, y))

    def test_what_is_refused(self):
        with self.assertRaisesRegex(lookupffn.Error, "nowhere") as caught:
            lookupffn.Model("/nowhere/model.safetensors")
        self.assertEqual(caught.exception.status, "io_error")
        again = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((again.status, str(again)), (caught.exception.status, str(caught.exception)))
        with self.assertRaises(lookupffn.Error) as caught:
            lookupffn.Model(b"\0" * 100)
        self.assertEqual(caught.exception.status, "malformed_model")
        for source in (None, 3, ["a"]):
            with self.assertRaisesRegex(TypeError, "path"):
                lookupffn.Model(source)
        tensors, _ = load_file(testing.golden("dense_d8_t1_b1", "model"))
        with self.assertRaisesRegex(lookupffn.Error, "tables"):
            lookupffn.Model.from_tensors(dict(tensors, tables=tensors["tables"][:, :, :0]))
        with self.assertRaisesRegex(TypeError, "'bias'.*complex"):
            lookupffn.Model.from_tensors(dict(tensors, bias=tensors["bias"].astype(np.complex64)))
        with self.assertRaisesRegex(TypeError, "'bias'.*list"):
            lookupffn.Model.from_tensors(dict(tensors, bias=[1.0]))


class SystemTest(unittest.TestCase):
    def test_isas(self):
        isas = lookupffn.isas()
        self.assertEqual([isa.name for isa in isas if isa.active], [lookupffn.active_isa()])
        runnable = [isa.name for isa in isas if isa.built_in and isa.runnable]
        lookupffn.force_isa(runnable[0])
        try:
            self.assertEqual(lookupffn.active_isa(), runnable[0])
            self.assertEqual(lookupffn.Model(testing.golden("dense_d8_t1_b1", "model")).pack().info.isa, runnable[0])
        finally:
            lookupffn.force_isa(None)
        with self.assertRaisesRegex(lookupffn.Error, "pentium") as caught:
            lookupffn.force_isa("pentium")
        self.assertEqual(caught.exception.status, "unsupported_isa")

    def test_types_threads_and_version(self):
        self.assertIn("i8", [t.name for t in lookupffn.weight_types() if t.for_tables and t.bits == 8])
        self.assertGreaterEqual(lookupffn.default_thread_count(), 1)
        self.assertRegex(lookupffn.__version__, r"^\d+\.\d+\.\d+$")

    def test_load_kernels(self):
        with self.assertRaises(lookupffn.Error):
            lookupffn.load_kernels("/nowhere")
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(lookupffn.Error, "lookupffn build"):
                lookupffn.load_kernels(folder)


class SafetensorsFileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "x.safetensors")

    def test_round_trip(self):
        rng = np.random.default_rng(0)
        tensors = {
            f"{dtype.__name__}.{i}": np.asarray(rng.standard_normal(shape) * 50).astype(dtype)
            for dtype in (np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_)
            for i, shape in enumerate([(), (3,), (0, 4), (2, 3, 5)])
        }
        tensors["transposed"] = rng.standard_normal((3, 4)).T
        tensors["big endian"] = np.arange(5, dtype=">i4")
        save_file(self.path, tensors, {"decay": "0.7", "ä": "ö"})
        read, metadata = load_file(self.path)
        self.assertEqual(metadata, {"decay": "0.7", "ä": "ö"})
        self.assertEqual(set(read), set(tensors))
        for name, tensor in tensors.items():
            self.assertEqual(read[name].dtype, tensor.dtype.newbyteorder("="))
            np.testing.assert_array_equal(read[name], tensor)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["x.safetensors"])

    def test_a_failed_save_leaves_the_old_file(self):
        save_file(self.path, {"a": np.zeros(3)})
        with self.assertRaises(TypeError):
            save_file(self.path, {"a": np.zeros(3), "b": object()})
        self.assertEqual(list(load_file(self.path)[0]), ["a"])
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["x.safetensors"])

    def test_damaged_files(self):
        save_file(self.path, {"abc": np.arange(10, dtype=np.float32)})
        with open(self.path, "rb") as file:
            whole = file.read()
        damaged = [whole[:length] for length in range(len(whole))]
        damaged += [whole.replace(b"F32", b"F33"), whole.replace(b"[0,40]", b"[4,40]"), whole.replace(b"[10]", b"[-9]")]
        damaged += [whole.replace(b"[0,40]", b"[0,4,]"), whole.replace(b"[0,40]", b"[0,4,0]"), whole.replace(b"[0,40]", b"[   4]")]
        damaged += [whole.replace(b'"shape"', b'"shale"'), whole[:8] + b"\xff" * 8 + whole[16:]]
        for content in damaged:
            with open(self.path, "wb") as file:
                file.write(content)
            with self.subTest(len(content)), self.assertRaisesRegex(ValueError, "no safetensors file"):
                load_file(self.path)


if __name__ == "__main__":
    testing.main()

"""Layers on NumPy arrays: results of the golden cases, what arrays are taken, and that nothing is copied or kept too short."""

import copy
import gc
import os
import pickle
import threading
import time
import unittest

import numpy as np
import testing

import lookupffn
from lookupffn.safetensors_file import load_file


def close_to(y, expected, what):
    """The tolerance of the golden cases: 1e-4 of the row's rms, plus 1e-6."""
    rms = np.sqrt(np.mean(np.square(expected, dtype=np.float64), axis=-1, keepdims=True))
    worst = np.max(np.abs(y - expected) - (1e-4 * rms + 1e-6))
    assert worst <= 0, f"{what}: off by {worst} beyond the tolerance"


def pack(name="bh4_d64_t40_b4", **options):
    model = lookupffn.Model(testing.golden(name, "model"))
    return model.pack(model.layers[0].prefix, **options)


def some_x(layer, tokens=7, seed=0):
    return np.random.default_rng(seed).standard_normal((tokens, layer.shape.d_in), np.float32)


class GoldenTest(unittest.TestCase):
    def test_forward_hash_and_gather_of_every_case(self):
        names = testing.golden_names()
        self.assertGreater(len(names), 5)
        for name in names:
            expected, _ = load_file(testing.golden(name, "io"))
            for isa in lookupffn.isas():
                if not (isa.built_in and isa.runnable):
                    continue
                with self.subTest(name, isa=isa.name):
                    layer = pack(name, isa=isa.name)
                    self.assertEqual(layer.info.isa, isa.name)
                    y = layer.forward(expected["x"])
                    self.assertEqual((y.dtype, y.shape), (np.float32, expected["y"].shape))
                    close_to(y, expected["y"], "y")
                    code, score = layer.hash(expected["x"])
                    np.testing.assert_array_equal(code, expected["code"])
                    close_to(score, expected["score"], "score")
                    np.testing.assert_array_equal(layer.gather(code, score), y)

    def test_types_of_weights(self):
        expected, _ = load_file(testing.golden("bh4_d512_t8_b8", "io"))
        exact = pack("bh4_d512_t8_b8").forward(expected["x"])
        for table_type in (t.name for t in lookupffn.weight_types() if t.for_tables and t.name != "f32"):
            layer = pack("bh4_d512_t8_b8", table_type=table_type)
            self.assertEqual(layer.info.table_type, table_type)
            off = np.abs(layer.forward(expected["x"]) - exact).max() / np.abs(exact).max()
            self.assertTrue(0 < off < 0.3, f"{table_type}: {off}")

    def test_ids(self):
        path = os.path.join(testing.FAMILIES, "embedding_bag.r100_d16.safetensors")
        case, _ = load_file(path)
        layer = lookupffn.Model(path).pack()
        self.assertEqual((layer.shape.d_in, layer.shape.family), (0, "embedding_bag"))
        ids, offsets = case["ids"], case["offsets"]
        close_to(layer.forward_ids(ids, offsets), case["y_sum"], "sum")
        close_to(layer.forward_ids(ids, offsets, mean=True), case["y_mean"], "mean")
        weights = case["per_sample_weights"]
        out = np.empty((len(offsets), 16), np.float32)
        self.assertIs(layer.forward_ids(ids, offsets, weights, out), out)
        close_to(out, case["y_weighted"], "weighted")
        square = np.arange(12, dtype=np.int64).reshape(4, 3)
        flat = layer.forward_ids(square.reshape(-1), np.array([0, 3, 6, 9]))
        np.testing.assert_array_equal(layer.forward_ids(square), flat)
        with self.assertRaisesRegex(ValueError, "forward_ids"):
            layer.forward(np.zeros((2, 16), np.float32))
        with self.assertRaisesRegex(lookupffn.Error, "100"):
            layer.forward_ids(np.array([100]), np.array([0]))
        with self.assertRaisesRegex(TypeError, "int64"):
            layer.forward_ids(np.zeros(3, np.int32), np.array([0]))
        with self.assertRaisesRegex(ValueError, "offsets"):
            layer.forward_ids(np.zeros(3, np.int64))
        with self.assertRaisesRegex(ValueError, "weights"):
            layer.forward_ids(np.zeros(3, np.int64), np.array([0]), np.zeros(2, np.float32))

    def test_other_families(self):
        for name, prefix in (("fff.ufb_d48_depth3_p8", None), ("memoryformer.proj_d50_t9_b5_o33", None)):
            with self.subTest(name):
                case, _ = load_file(os.path.join(testing.FAMILIES, name + ".safetensors"))
                model = lookupffn.Model(os.path.join(testing.FAMILIES, name + ".safetensors"))
                shape = model.layers[0]
                layer = model.pack(shape.prefix)
                x = case.get("x", case.get(shape.prefix + "x"))
                code, score = layer.hash(x)
                self.assertEqual(code.shape, (len(x), shape.lookups))
                y = layer.forward(x)
                close_to(y, case.get("y", case.get(shape.prefix + "y")), "y")
                close_to(layer.gather(code, score), y, "gather")


class ArraysTest(unittest.TestCase):
    def setUp(self):
        self.layer = pack()
        self.x = some_x(self.layer)
        self.y = self.layer.forward(self.x)

    def test_leading_dimensions(self):
        d_in, d_out = self.layer.shape.d_in, self.layer.shape.d_out
        x = some_x(self.layer, 12)
        y = self.layer.forward(x)
        np.testing.assert_array_equal(self.layer.forward(x.reshape(3, 2, 2, d_in)), y.reshape(3, 2, 2, d_out))
        np.testing.assert_array_equal(self.layer.forward(x[5]), y[5])
        self.assertEqual(self.layer.forward(x[:0]).shape, (0, d_out))
        self.assertEqual(self.layer.forward(np.zeros((2, 0, d_in), np.float32)).shape, (2, 0, d_out))
        code, score = self.layer.hash(x.reshape(3, 4, d_in))
        self.assertEqual((code.shape, score.shape), ((3, 4, 40), (3, 4, 40)))
        np.testing.assert_array_equal(self.layer.gather(code, score), y.reshape(3, 4, d_out))

    def test_rows_that_lie_apart(self):
        d_in, d_out = self.layer.shape.d_in, self.layer.shape.d_out
        wide = np.full((7, d_in + 3), np.nan, np.float32)
        wide[:, 1:-2] = self.x
        out = np.full((7, d_out + 5), 5, np.float32)
        result = self.layer.forward(wide[:, 1:-2], out[:, 2:-3])
        self.assertTrue(np.shares_memory(result, out))
        np.testing.assert_array_equal(out[:, 2:-3], self.y)
        self.assertTrue((out[:, :2] == 5).all() and (out[:, -3:] == 5).all())
        np.testing.assert_array_equal(self.layer.forward(self.x[::-1]), self.y[::-1])
        np.testing.assert_array_equal(self.layer.forward(self.x[::2]), self.y[::2])
        np.testing.assert_array_equal(self.layer.hash(self.x[::2])[0], self.layer.hash(self.x)[0][::2])

    def test_out(self):
        out = np.empty_like(self.y)
        self.assertIs(self.layer.forward(self.x, out), out)
        np.testing.assert_array_equal(out, self.y)
        code, score = self.layer.hash(self.x)
        self.assertIs(self.layer.gather(code, score, out), out)
        in_place = self.x.copy()
        self.assertIs(self.layer.forward(in_place, in_place), in_place)
        np.testing.assert_array_equal(in_place, self.y)

    def test_residual_and_threads(self):
        np.testing.assert_allclose(self.layer.forward(self.x, residual=True), self.x + self.y, rtol=1e-6, atol=1e-6)
        for count in (1, 3):
            threads = lookupffn.Threads(count)
            self.assertEqual(threads.count, count)
            np.testing.assert_array_equal(self.layer.forward(self.x, threads=threads), self.y)
        with self.assertRaisesRegex(ValueError, "count"):
            lookupffn.Threads(-1)

    def test_contiguous_arrays_are_not_copied(self):
        layer = pack("dense_d8_t1_b1")
        x = np.ones((1 << 20, 8), np.float32)  # 32 MiB, as much as y
        out = np.empty((1 << 20, layer.shape.d_out), np.float32)
        layer.forward(x[:4], out[:4])

        def peak():
            with open("/proc/self/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

        out.fill(0)
        before = peak()
        layer.forward(x, out)
        self.assertLess(peak() - before, 8 << 10, "KiB more memory for a forward of 32 MiB")

    def test_what_is_refused(self):
        d_in, d_out = self.layer.shape.d_in, self.layer.shape.d_out
        code, score = self.layer.hash(self.x)
        read_only = np.zeros_like(self.y)
        read_only.flags.writeable = False
        unaligned = np.zeros(7 * d_in * 4 + 1, np.uint8)[1:].view(np.float32).reshape(7, d_in)
        cases = [
            (TypeError, "numpy.ndarray", lambda: self.layer.forward(self.x.tolist())),
            (TypeError, "float64", lambda: self.layer.forward(self.x.astype(np.float64))),
            (TypeError, "float32", lambda: self.layer.forward(self.x.astype(">f4"))),
            (ValueError, f"d_in = {d_in}", lambda: self.layer.forward(self.x[:, :-1])),
            (ValueError, "shape", lambda: self.layer.forward(np.zeros((), np.float32))),
            (ValueError, "ascontiguousarray", lambda: self.layer.forward(np.asfortranarray(self.x))),
            (ValueError, "ascontiguousarray", lambda: self.layer.forward(np.zeros((7, 2 * d_in), np.float32)[:, ::2])),
            (ValueError, "two dimensions", lambda: self.layer.forward(np.zeros((4, 6, d_in), np.float32)[:, ::2])),
            (ValueError, "aligned", lambda: self.layer.forward(unaligned)),
            (ValueError, "out has shape", lambda: self.layer.forward(self.x, np.zeros((6, d_out), np.float32))),
            (TypeError, "out", lambda: self.layer.forward(self.x, np.zeros((7, d_out)))),
            (ValueError, "read-only", lambda: self.layer.forward(self.x, read_only)),
            (lookupffn.Error, "overlap", lambda: self.layer.forward(self.x[:-1], self.x[1:])),
            (TypeError, "int32", lambda: self.layer.gather(code.astype(np.int64), score)),
            (ValueError, "lookups = 40", lambda: self.layer.gather(code[:, 1:].copy(), score[:, 1:].copy())),
            (ValueError, "score has shape", lambda: self.layer.gather(code, score[:-1])),
            (ValueError, "code is not contiguous", lambda: self.layer.gather(code[::2], score[::2])),
            (lookupffn.Error, r"code\[0, 0\]", lambda: self.layer.gather(code + 1000, score)),
            (ValueError, "table_type.*f32", lambda: pack(table_type="f31")),
            (ValueError, "kernels", lambda: pack(kernels="good")),
            (lookupffn.Error, "", lambda: pack(kernels="specialised")),
            (lookupffn.Error, "", lambda: pack(isa="pentium")),
            (lookupffn.Error, "", lambda: pack(table_type="bf16x3")),
            (TypeError, "threads is a int", lambda: self.layer.forward(self.x, threads=2)),
            (TypeError, "threads is a int", lambda: self.layer.hash(self.x, threads=2)),
            (TypeError, "threads is a int", lambda: self.layer.gather(code, score, threads=2)),
            (ValueError, "count is 18446744073709551617", lambda: lookupffn.Threads(2**64 + 1)),
        ]
        for kind, message, call in cases:
            with self.subTest(message), self.assertRaisesRegex(kind, message):
                call()

    def test_residual_needs_as_many_outputs(self):
        layer = pack("dense_d100_t5_b10")
        if layer.shape.d_in != layer.shape.d_out:
            with self.assertRaisesRegex(lookupffn.Error, "ADD_RESIDUAL") as caught:
                layer.forward(some_x(layer), residual=True)
            self.assertEqual(caught.exception.status, "invalid_argument")


class LifetimeTest(unittest.TestCase):
    def test_a_layer_outlives_its_model(self):
        model = lookupffn.Model(testing.golden("bh4_d64_t40_b4", "model"))
        layer = model.pack()
        x = some_x(layer)
        y = layer.forward(x)
        del model
        gc.collect()
        np.testing.assert_array_equal(layer.forward(x), y)

    def test_a_model_keeps_its_bytes(self):
        with open(testing.golden("bh4_d64_t40_b4", "model"), "rb") as file:
            content = bytearray(file.read())
        model = lookupffn.Model(content)
        with self.assertRaises(BufferError):
            content.extend(b"more")
        del content
        gc.collect()
        layer = model.pack()
        x = some_x(layer)
        np.testing.assert_array_equal(layer.forward(x), pack().forward(x))

    def test_copies_and_pickles(self):
        """A copy is the object itself: two that hold one address would free it twice."""
        layer, model = pack(), lookupffn.Model(testing.golden("bh4_d64_t40_b4", "model"))
        for held in (layer, model, lookupffn.Threads(2), lookupffn.Training(8, 8, 2, 2)):
            with self.subTest(held):
                self.assertIs(copy.copy(held), held)
                self.assertIs(copy.deepcopy([held])[0], held)
                with self.assertRaisesRegex(TypeError, f"lookupffn.{type(held).__name__} is memory of this process"):
                    pickle.dumps(held)

    def test_layers_and_threads_are_freed(self):
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096

        for count in range(40):
            pack("bh4_d512_t8_b8")  # 4.5 MiB
            lookupffn.Threads(3)
            if count == 9:
                before = resident()
        self.assertLess(resident() - before, 60 << 20)
        self.assertLess(len(os.listdir("/proc/self/task")), 20)

    def test_other_python_threads_run_meanwhile(self):
        layer = pack("bh4_d256_t64_b8_repeat2")
        x = np.ones((1, layer.shape.d_in), np.float32).repeat(20000, 0)
        threads, times, called = lookupffn.Threads(1), [], []
        layer.forward(x[:10], threads=threads)

        def call():
            begin = time.perf_counter()
            layer.forward(x, threads=threads)
            called.extend((begin, time.perf_counter()))

        thread = threading.Thread(target=call)
        thread.start()
        while not called:
            times.append(time.perf_counter())
        thread.join()
        begin, end = called
        quarter = (end - begin) / 4
        self.assertGreater(quarter, 0.01, "the call is too short to tell")
        self.assertTrue(any(begin + quarter < t < end - quarter for t in times), "nothing else ran during a forward")

    def test_a_layer_in_several_threads(self):
        layer = pack()
        x = some_x(layer, 50)
        y, wrong = layer.forward(x), []

        def work():
            for _ in range(50):
                if not np.array_equal(layer.forward(x), y):
                    wrong.append(1)

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    testing.main()

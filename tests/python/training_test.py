"""lookupffn.Training: a training step on NumPy arrays."""

import copy
import unittest

import testing

import numpy as np

import lookupffn
from lookupffn.safetensors_file import load_file


def case(name):
    """A golden case: Training, weights, x, y."""
    model = lookupffn.Model(testing.golden(name, "model"))
    shape = model.layers[0]
    tensors, _ = load_file(testing.golden(name, "model"))
    names = ("LayerNorm.weight", "LayerNorm.bias", "hash.projection.weight", "hash.projection.bias", "tables", "bias")
    weights = lookupffn.Weights(*(np.ascontiguousarray(tensors[shape.prefix + part], np.float32) for part in names))
    training = lookupffn.Training(
        shape.d_in, shape.d_out, shape.tables, shape.bits, shape.block or None, shape.decay, shape.layer_norm_eps
    )
    values, _ = load_file(testing.golden(name, "io"))
    return training, weights, values["x"], values


def f32_cases():
    for name in testing.golden_names():
        tensors, _ = load_file(testing.golden(name, "model"))
        if all(tensor.dtype == np.float32 for tensor in tensors.values()) and len(lookupffn.Model(testing.golden(name, "model")).layers) == 1:
            yield name


class TrainingTest(unittest.TestCase):
    def test_forward_is_the_golden_one(self):
        names = list(f32_cases())
        self.assertGreater(len(names), 3)
        for name in names:
            with self.subTest(name):
                training, weights, x, values = case(name)
                y, saved = training.forward(weights, x)
                np.testing.assert_allclose(y, values["y"], rtol=1e-3, atol=1e-4 * np.abs(values["y"]).max())
                code = values["code"].astype(np.int64) + np.arange(values["code"].shape[1]) * weights.tables.shape[1]
                np.testing.assert_array_equal(training.rows(saved, len(x)), np.unique(code))

    def test_gradients_are_slopes(self):
        """Along a weight's own gradient, the loss grows by the gradient's square."""
        for name in f32_cases():
            training, weights, x, _ = case(name)
            x = x[:4]
            d_y = np.random.default_rng(1).standard_normal((len(x), training.d_out), np.float32)
            _, saved = training.forward(weights, x)
            d_x, gradients = training.backward(weights, x, d_y, saved)
            self.assertEqual(d_x.shape, x.shape)
            for part in ("tables", "bias"):  # of which y is a linear function
                with self.subTest(name=name, part=part):
                    gradient = getattr(gradients, part)
                    moved = weights._replace(**{part: getattr(weights, part) + gradient})
                    change = ((training.forward(moved, x)[0] - training.forward(weights, x)[0]).astype(np.float64) * d_y).sum()
                    square = (gradient.astype(np.float64) ** 2).sum()
                    self.assertAlmostEqual(change / square, 1, delta=1e-3)

    def test_sparse(self):
        training, weights, x, _ = case(next(f32_cases()))
        d_y = np.ones((len(x), training.d_out), np.float32)
        _, saved = training.forward(weights, x)
        _, dense = training.backward(weights, x, d_y, saved)
        _, sparse = training.backward(weights, x, d_y, saved, sparse=True, threads=lookupffn.Threads(2))
        spread = np.zeros_like(weights.tables)
        spread.reshape(-1, training.d_out)[training.rows(saved, len(x))] = sparse.tables
        np.testing.assert_array_equal(spread, dense.tables)
        for one, other in zip(dense._replace(tables=spread), sparse._replace(tables=spread)):
            np.testing.assert_array_equal(one, other)

    def test_what_it_refuses(self):
        with self.assertRaisesRegex(lookupffn.Error, "bits is 40"):
            lookupffn.Training(4, 4, 2, 40)
        with self.assertRaisesRegex(lookupffn.Error, "block"):
            lookupffn.Training(4, 4, 2, 4, block=8)
        training, weights, x, _ = case(next(f32_cases()))
        y, saved = training.forward(weights, x)
        with self.assertRaises(TypeError):
            training.forward(weights, x.astype(np.float64))
        with self.assertRaisesRegex(ValueError, "tables has shape"):
            training.forward(weights._replace(tables=weights.tables[:, :1]), x)
        with self.assertRaisesRegex(TypeError, "saved is a ndarray"):
            training.backward(weights, x, y, np.zeros(training.saved_floats(len(x)), np.float32))
        with self.assertRaisesRegex(ValueError, f"saved is of {len(x)} tokens"):
            training.backward(weights, x[1:], y[1:], saved)
        with self.assertRaisesRegex(ValueError, f"saved is of {len(x)} tokens"):
            training.rows(saved, len(x) + 1)
        with self.assertRaisesRegex(ValueError, "another Training's"):
            case(next(f32_cases()))[0].backward(weights, x, y, saved)
        with self.assertRaisesRegex(TypeError, "belongs to its Training"):
            copy.copy(saved)
        with self.assertRaisesRegex(TypeError, "threads is a int"):
            training.forward(weights, x, threads=2)
        with self.assertRaisesRegex(ValueError, "d_in is 18446744073709551620"):
            lookupffn.Training(2**64 + 4, 4, 2, 4)
        with self.assertRaisesRegex(ValueError, "tokens"):
            training.backward(weights, x, np.ascontiguousarray(y[1:]), saved)


if __name__ == "__main__":
    testing.main()

"""RowAdam: to each row it is torch.optim.AdamW on that row alone; nothing but the step's rows is touched; state survives."""

import copy
import io
import os
import pickle
import tempfile
import unittest
import unittest.mock

import testing

torch = testing.need_torch()

from lookupffn import nn, optim  # noqa: E402

OPTIONS = {"betas": (0.8, 0.97), "eps": 1e-6, "weight_decay": 0.3}


def sparse(rows, values, shape):
    rows = torch.tensor(rows)
    indices = torch.stack((torch.div(rows, shape[1], rounding_mode="floor"), rows % shape[1]))
    return torch.sparse_coo_tensor(indices, values, shape)


class RowsTest(unittest.TestCase):
    """A table parameter [3, 4, 5], whose 12 rows get random gradients in random steps, at a rate that changes."""

    shape = (3, 4, 5)

    def setUp(self):
        torch.manual_seed(7)
        self.start = torch.randn(self.shape, dtype=torch.float64)
        self.parameter = torch.nn.Parameter(self.start.clone())
        self.optimizer = optim.RowAdam([self.parameter], **OPTIONS)
        self.steps = []
        for number in range(25):
            rows = torch.randperm(12)[: int(torch.randint(1, 6, ()))].sort().values.tolist()
            self.steps.append((0.1 / (1 + number), rows, torch.randn(len(rows), 5, dtype=torch.float64)))

    def step(self, lr, rows, values):
        self.optimizer.param_groups[0]["lr"] = lr
        self.parameter.grad = sparse(rows, values, self.shape)
        self.optimizer.step()

    def rows_alone(self):
        """Each row a parameter of its own with AdamW, which in the steps without it only decays."""
        result = torch.empty(12, 5, dtype=torch.float64)
        for row in range(12):
            alone = torch.nn.Parameter(self.start.view(12, 5)[row].clone())
            adam = torch.optim.AdamW([alone], **OPTIONS)
            for lr, rows, values in self.steps:
                if row in rows:
                    adam.param_groups[0]["lr"] = lr
                    alone.grad = values[rows.index(row)].clone()
                    adam.step()
                else:
                    with torch.no_grad():
                        alone *= 1 - lr * OPTIONS["weight_decay"]
            result[row] = alone.detach()
        return result

    def test_a_row_is_adamw_on_that_row_alone(self):
        for step in self.steps:
            self.step(*step)
        self.optimizer.flush()
        torch.testing.assert_close(self.parameter.detach().view(12, 5), self.rows_alone(), rtol=1e-12, atol=1e-13)

    def test_float32_rows_on_kernels(self):
        exact = self.rows_alone()
        self.parameter = torch.nn.Parameter(self.start.float())
        self.optimizer = optim.RowAdam([self.parameter], **OPTIONS)
        for lr, rows, values in self.steps:
            self.step(lr, rows, values.float())
        self.optimizer.flush()
        torch.testing.assert_close(self.parameter.detach().view(12, 5).double(), exact, rtol=1e-5, atol=1e-5)

    def test_steps_of_many_rows_are_done_piece_by_piece(self):
        with unittest.mock.patch.object(optim, "_FLOATS_AT_A_TIME", 10):  # two rows
            for step in self.steps:
                self.step(*step)
            self.optimizer.flush()
        torch.testing.assert_close(self.parameter.detach().view(12, 5), self.rows_alone(), rtol=1e-12, atol=1e-13)

    def test_rows_of_a_step_are_up_to_date_before_the_flush(self):
        for step in self.steps:
            self.step(*step)
        rows = self.steps[-1][1]
        torch.testing.assert_close(self.parameter.detach().view(12, 5)[rows], self.rows_alone()[rows], rtol=1e-12, atol=1e-13)

    def test_all_rows_at_every_step_are_adamw(self):
        other = torch.nn.Parameter(self.start.clone())
        adam = torch.optim.AdamW([other], lr=0.05, **OPTIONS)
        for _ in range(10):
            values = torch.randn(12, 5, dtype=torch.float64)
            self.step(0.05, list(range(12)), values)
            other.grad = values.view(self.shape).clone()
            adam.step()
        torch.testing.assert_close(self.parameter, other, rtol=1e-12, atol=1e-13)

    def test_nothing_else_is_touched(self):
        for step in self.steps[:5]:
            self.step(*step)
        state = self.optimizer.state[self.parameter]
        per_row = ("row_steps", "row_log_decay", "exp_avg", "exp_avg_sq")
        before = [self.parameter.detach().clone().view(12, 5)] + [state[name].clone() for name in per_row]
        lr, rows, values = self.steps[5]
        self.step(lr, rows, values)
        others = [row for row in range(12) if row not in rows]
        after = [self.parameter.detach().view(12, 5)] + [state[name] for name in per_row]
        for one, two in zip(before, after):
            self.assertTrue(torch.equal(one[others], two[others]))
            self.assertFalse(torch.equal(one[rows], two[rows]))
        self.assertEqual(self.optimizer.rows_touched, len(rows))

    def test_traffic_is_proportional_to_the_rows(self):
        traffic = []
        for count in (1, 2, 4, 8):
            self.step(0.1, list(range(count)), torch.randn(count, 5, dtype=torch.float64))
            traffic.append(self.optimizer.bytes_touched / count)
        self.assertEqual(len(set(traffic)), 1)

    def test_gradients_that_are_not_coalesced_and_dense_ones(self):
        values = torch.randn(3, 5, dtype=torch.float64)
        self.step(0.1, [7, 2, 7], values)
        other = torch.nn.Parameter(self.start.clone())
        optimizer = optim.RowAdam([other], lr=0.1, **OPTIONS)
        other.grad = sparse([2, 7], torch.stack((values[1], values[0] + values[2])), self.shape)
        optimizer.step()
        torch.testing.assert_close(self.parameter, other)
        dense = torch.randn(self.shape, dtype=torch.float64)
        for parameter, one in ((self.parameter, self.optimizer), (other, optimizer)):
            parameter.grad = dense.clone()  # after sparse ones: all rows
            one.step()
        torch.testing.assert_close(self.parameter, other)
        self.assertEqual(optimizer.rows_touched, 12)

    def test_empty_gradient(self):
        self.step(0.1, [], torch.empty(0, 5, dtype=torch.float64))
        self.assertTrue(torch.equal(self.parameter, self.start))
        self.optimizer.flush()
        torch.testing.assert_close(self.parameter.detach(), self.start * (1 - 0.1 * 0.3))

    def test_state_round_trip(self):
        for half in (False, True):  # in float32 too, where torch would round the logarithms
            with self.subTest(float32=half):
                self.setUp()
                if half:
                    self.parameter = torch.nn.Parameter(self.start.float())
                    self.optimizer = optim.RowAdam([self.parameter], **OPTIONS)
                    self.steps = [(lr, rows, values.float()) for lr, rows, values in self.steps]
                for step in self.steps[:12]:
                    self.step(*step)
                file = io.BytesIO()
                torch.save((self.parameter.detach(), self.optimizer.state_dict()), file)
                for step in self.steps[12:]:
                    self.step(*step)
                self.optimizer.flush()
                expected = self.parameter.detach().clone()

                file.seek(0)
                values, state = torch.load(file)
                self.parameter = torch.nn.Parameter(values)
                self.optimizer = optim.RowAdam([self.parameter], **OPTIONS)
                self.optimizer.load_state_dict(state)
                for step in self.steps[12:]:
                    self.step(*step)
                self.optimizer.flush()
                self.assertTrue(torch.equal(self.parameter.detach(), expected))

    def test_a_state_of_another_size_is_refused(self):
        self.step(*self.steps[0])
        other = optim.RowAdam([torch.nn.Parameter(torch.zeros(3, 2, 5, dtype=torch.float64))], **OPTIONS)
        with self.assertRaisesRegex(ValueError, "60 elements, the parameter 30"):
            other.load_state_dict(self.optimizer.state_dict())

    def test_what_is_refused(self):
        for options in ({"lr": -1}, {"betas": (1, 0.9)}, {"eps": -1}, {"weight_decay": -1}, {"lr": float("nan")}):
            with self.subTest(options), self.assertRaises(ValueError):
                optim.RowAdam([self.parameter], **options)
            with self.subTest(options, group=True), self.assertRaises(ValueError):
                optim.RowAdam([{"params": [self.parameter], **options}])
        self.parameter.grad = torch.zeros(self.shape, dtype=torch.float64)
        with self.assertRaisesRegex(ValueError, "weight_decay"):
            optim.RowAdam([self.parameter], lr=2, weight_decay=0.5).step()
        self.parameter.grad = self.start.to_sparse()
        with self.assertRaisesRegex(ValueError, "dense dimension"):
            optim.RowAdam([self.parameter]).step()



class InBackwardTest(unittest.TestCase):
    def train(self, **options):
        torch.manual_seed(3)
        layer = nn.LookupFFN(24, 20, tables=6, bits=5, block=8, sparse=True)
        optimizer = optim.RowAdam(nn.parameter_groups(layer, 1e-2), weight_decay=0.1, **options)
        losses, touched = [], []
        for number in range(8):
            x = torch.randn(12, 24, generator=torch.Generator().manual_seed(number))
            optimizer.zero_grad()
            loss = (layer(x) - x[:, :20]).square().mean()
            loss.backward()
            if options and number == 0:
                self.assertIsNone(layer.tables.grad)
            optimizer.step()
            losses.append(float(loss))
            touched.append(optimizer.rows_touched)
        return layer, optimizer, losses, touched

    def test_it_is_the_step_after_the_backward(self):
        after, other, losses, touched = self.train()
        within, optimizer, *others = self.train(in_backward=True)
        self.assertEqual([losses, touched], others)
        self.assertLess(optimizer.bytes_touched, other.bytes_touched)
        for one in (other, optimizer):
            one.flush()
        for name, parameter in after.named_parameters():
            self.assertTrue(torch.equal(parameter, dict(within.named_parameters())[name]), name)
        # The change is one that torch knows of: packed weights are packed again.
        x = torch.randn(3, 24)
        with torch.no_grad():
            self.assertTrue(torch.equal(after.eval()(x), within.eval()(x)))

    def test_a_layer_that_a_graph_has_twice_is_refused(self):
        layer = nn.LookupFFN(8, 8, tables=3, bits=2, sparse=True)
        _optimizer = optim.RowAdam(layer.parameters(), in_backward=True)
        y = layer(layer(torch.randn(4, 8)))
        with self.assertRaisesRegex(RuntimeError, "in_backward=True.* a graph has such a layer once"):
            y.sum().backward()

    def test_copies_and_pickles(self):
        """They are updated in the backward, and owe their decay, as the original is and does."""
        for options in ({}, {"in_backward": True}):
            layer, optimizer, *_ = self.train(**options)
            copies = [copy.deepcopy((layer, optimizer)), pickle.loads(pickle.dumps((layer, optimizer)))]
            results = []
            for one, its_optimizer in [(layer, optimizer), *copies]:
                self.assertEqual(its_optimizer.in_backward, bool(options))
                for number in range(3):
                    its_optimizer.zero_grad()
                    one(torch.randn(12, 24, generator=torch.Generator().manual_seed(50 + number))).square().mean().backward()
                    its_optimizer.step()
                results.append([value.detach().clone() for value in one.state_dict().values()])
            for other in results[1:]:
                self.assertTrue(all(torch.equal(a, b) for a, b in zip(results[0], other)))

    def test_what_is_refused(self):
        layer = nn.LookupFFN(8, 8, tables=3, bits=2, sparse=True)
        _optimizer = optim.RowAdam(layer.parameters(), lr=2, weight_decay=0.5, in_backward=True)
        with self.assertRaisesRegex(ValueError, "lr 2 times weight_decay 0.5 is 1 or more"):
            layer(torch.randn(4, 8)).sum().backward()

    def test_state_is_restored(self):
        _, optimizer, *_ = self.train(in_backward=True)
        layer, other, *_ = self.train(in_backward=True)
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        one, two = optimizer.state_dict(), other.state_dict()
        for number, state in one["state"].items():
            for name, value in state.items():
                self.assertTrue(torch.equal(torch.as_tensor(value), torch.as_tensor(two["state"][number][name])), name)


class DenseTest(unittest.TestCase):
    def test_dense_parameters_get_adamw(self):
        torch.manual_seed(1)
        one = torch.nn.Linear(4, 3).double()
        two = copy.deepcopy(one)
        optimizers = optim.RowAdam(one.parameters(), lr=0.03, **OPTIONS), torch.optim.AdamW(
            two.parameters(), lr=0.03, **OPTIONS
        )
        for _ in range(10):
            x = torch.randn(6, 4, dtype=torch.float64)
            for module, optimizer in zip((one, two), optimizers):
                optimizer.zero_grad()
                module(x).square().sum().backward()
                optimizer.step()
        for a, b in zip(one.parameters(), two.parameters()):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


class LayerTest(unittest.TestCase):
    def train(self, layer, optimizer, steps, seed):
        generator = torch.Generator().manual_seed(seed)
        losses = []
        for _ in range(steps):
            x = torch.randn(20, 16, generator=generator).to(layer.bias.dtype)
            optimizer.zero_grad()
            loss = (layer(x) - x.roll(1, 1)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        return losses

    def new(self, dtype=torch.float32):
        torch.manual_seed(3)
        layer = nn.LookupFFN(16, 16, 8, 4, sparse=True).to(dtype)
        return layer, optim.RowAdam(layer.parameters(), lr=0.05, weight_decay=0.5)

    def test_rows_are_read_with_their_decay(self):
        """Flushing before every forward changes nothing: a forward brings the rows that it reads up to date."""
        # In float64, so that rounding does not flip codes.
        layer, optimizer = self.new(torch.float64)
        other, flushed = self.new(torch.float64)
        for step in range(15):
            a = self.train(layer, optimizer, 1, step)
            flushed.flush()
            b = self.train(other, flushed, 1, step)
            self.assertAlmostEqual(a[0], b[0], delta=1e-10 * abs(b[0]))
        optimizer.flush()
        flushed.flush()
        torch.testing.assert_close(layer.tables, other.tables, rtol=1e-9, atol=1e-11)

    def test_eval_sees_all_decay(self):
        layer, optimizer = self.new()
        self.train(layer, optimizer, 10, 0)
        x = torch.randn(50, 16)
        layer.eval()
        with torch.no_grad():
            y = layer(x)
            with torch.enable_grad():
                self.train(layer.train(), optimizer, 5, 1)
            layer.eval()
            self.assertFalse(torch.equal(layer(x), y))
            optimizer.flush()
            fresh = nn.LookupFFN.from_tensors(layer.state_dict()).eval()
            self.assertTrue(torch.equal(layer(x), fresh(x)))

    def test_a_saved_model_has_all_decay(self):
        layer, optimizer = self.new()
        self.train(layer, optimizer, 10, 0)
        x = torch.randn(50, 16)
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            path = os.path.join(folder, "model.safetensors")
            nn.save(layer, path)
            saved = nn.from_file(path).eval()
            self.assertTrue(torch.equal(saved(x), layer.eval()(x)))

    def test_a_layer_used_twice_in_a_step(self):
        layer, optimizer = self.new()
        for _ in range(5):
            optimizer.zero_grad()
            x = torch.randn(20, 16)
            layer(layer(x)).square().mean().backward()
            optimizer.step()
        self.assertTrue(torch.isfinite(layer.tables).all())

    def test_layers_learn(self):
        layer, optimizer = self.new()
        optimizer.param_groups[0]["weight_decay"] = 0.0
        losses = self.train(layer, optimizer, 300, 0)
        self.assertLess(sum(losses[-20:]) / 20, 0.6 * sum(losses[:20]) / 20)


if __name__ == "__main__":
    testing.main()

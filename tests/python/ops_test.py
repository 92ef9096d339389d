"""torch.ops.lookupffn.*: bits of the C API, gradients, shapes, packing again when weights change, what torch checks of operators."""

import gc
import unittest

import testing

torch = testing.need_torch()

import lookupffn  # noqa: E402
from lookupffn import formulas, ops, packing  # noqa: E402
from lookupffn.safetensors_file import load_torch_file  # noqa: E402

TORCH_2 = int(torch.__version__.split(".")[0]) >= 2


def of_file(path, prefix=""):
    """The six weights of a layer as F32, and decay and eps."""
    tensors, metadata = load_torch_file(path)
    weights = [tensors[prefix + name].float() for name in packing.NAMES]
    return weights, float(metadata.get("decay", 0.7)), float(metadata.get("layer_norm_eps", 1e-5))


def random_layer(d_in, d_out, tables, bits, block=None, dtype=torch.float32, seed=0):
    """Six weights; block None: a dense projection."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    z = tables * bits
    if block is None:
        weight = normal(z, d_in) / d_in**0.5
    else:
        p = 1 << (d_in - 1).bit_length()
        weight = normal(max(1, -(-z // p)), 4, p // block, block, block) / (block * p) ** 0.5
    return [1 + normal(d_in) / 10, normal(d_in) / 10, weight, normal(z) / 10, normal(tables, 1 << bits, d_out), normal(d_out)]


SHAPES = [
    (8, 8, 1, 1, None),
    (20, 7, 5, 3, None),
    (33, 10, 4, 6, None),
    (16, 12, 3, 4, 4),
    (24, 5, 6, 3, 8),
    (20, 9, 16, 5, 16),
    (12, 3, 2, 2, 1),
    (1, 2, 3, 2, 1),
]


def random_x(*shape, dtype=torch.float32, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


class ForwardTest(unittest.TestCase):
    def test_bits_of_the_c_api(self):
        for name in testing.golden_names():
            with self.subTest(name), torch.no_grad():
                path = testing.golden(name, "model")
                model = lookupffn.Model(path)
                prefix = model.layers[0].prefix
                weights, decay, eps = of_file(path, prefix)
                x = load_torch_file(testing.golden(name, "io"))[0]["x"]
                for types in (("f32", "f32"), ("i8", "f32"), ("bf16", "bf16")):
                    expected = torch.from_numpy(model.pack(prefix, None, *types).forward(x.numpy()))
                    self.assertTrue(torch.equal(torch.ops.lookupffn.forward(x, *weights, decay, eps, "", *types), expected))

    def test_it_is_the_formula(self):
        for shape in SHAPES:
            weights, x = random_layer(*shape), random_x(30, shape[0])
            with self.subTest(shape=shape), torch.no_grad():
                expected = formulas.forward(x, *weights, 0.6, 1e-5)
                torch.testing.assert_close(torch.ops.lookupffn.forward(x, *weights, 0.6, 1e-5), expected, rtol=1e-3, atol=1e-4)
                torch.testing.assert_close(torch.ops.lookupffn.train(x, *weights, 0.6, 1e-5)[0], expected, rtol=1e-4, atol=5e-5)

    def test_shapes_and_strides_of_x(self):
        weights = random_layer(*SHAPES[4])
        x = random_x(12, 24)
        y = torch.ops.lookupffn.forward(x, *weights, 0.7, 1e-5)
        for changed in (
            x.reshape(3, 4, 24),
            x[5],
            x[:0],
            torch.cat((x, x), 1)[:, :24],
            x.t().contiguous().t(),
            x[::2],
            x.expand(3, 12, 24),
        ):
            result = torch.ops.lookupffn.forward(changed, *weights, 0.7, 1e-5)
            single = [torch.ops.lookupffn.forward(row.clone(), *weights, 0.7, 1e-5) for row in changed.reshape(-1, 24)]
            self.assertEqual(result.shape, (*changed.shape[:-1], 5))
            if single:
                self.assertTrue(torch.equal(result.reshape(-1, 5), torch.stack(single)))
            trained = torch.ops.lookupffn.train(changed, *weights, 0.7, 1e-5)[0]
            torch.testing.assert_close(trained, result, rtol=1e-3, atol=1e-4)
        self.assertTrue(torch.equal(torch.ops.lookupffn.forward(x[5], *weights, 0.7, 1e-5), y[5]))

    def test_meta(self):
        for shape in SHAPES:
            weights, x = random_layer(*shape), random_x(2, 3, shape[0])
            on_meta = [tensor.to("meta") for tensor in (x, *weights)]
            for operator in (torch.ops.lookupffn.forward, torch.ops.lookupffn.train):
                real, meta = operator(x, *weights, 0.7, 1e-5), operator(*on_meta, 0.7, 1e-5)
                for one, other in zip(real if isinstance(real, tuple) else [real], meta if isinstance(meta, tuple) else [meta]):
                    self.assertEqual((one.shape, one.dtype, one.stride()), (other.shape, other.dtype, other.stride()))
                    self.assertEqual(other.device.type, "meta")

    def test_what_is_refused(self):
        weights = random_layer(*SHAPES[4])
        x = random_x(3, 24)
        forward = torch.ops.lookupffn.forward
        for words, call in (
            ("float64", lambda: forward(x.double(), *weights, 0.7, 1e-5)),
            ("d_in = 24", lambda: forward(x[:, 1:], *weights, 0.7, 1e-5)),
            ("tables", lambda: forward(x, *weights[:4], weights[4][:, :7].clone(), weights[5], 0.7, 1e-5)),
            ("f31", lambda: forward(x, *weights, 0.7, 1e-5, "", "f31")),
            ("pentium", lambda: forward(x, *weights, 0.7, 1e-5, "pentium")),
            ("d_in = 24", lambda: torch.ops.lookupffn.train(x[:, 1:], *weights, 0.7, 1e-5)),
        ):
            with self.subTest(words), self.assertRaisesRegex(Exception, words):
                call()


class SafetyTest(unittest.TestCase):
    """What would lead kernels to read or write memory that is not theirs."""

    def test_another_default_dtype(self):
        weights, x = random_layer(*SHAPES[4]), random_x(9, 24)

        def results(function):
            inputs = [tensor.clone().requires_grad_() for tensor in (x, *weights)]
            y = function(*inputs, 0.7, 1e-5)
            y = y[0] if isinstance(y, tuple) else y
            y.square().sum().backward()
            return [y, *(tensor.grad.to_dense() for tensor in inputs)]

        functions = (torch.ops.lookupffn.forward, torch.ops.lookupffn.train, ops.train_sparse)
        expected = [results(function) for function in functions]
        before = torch.get_default_dtype()
        try:
            for dtype in (torch.float64, torch.bfloat16):
                torch.set_default_dtype(dtype)
                for function, known in zip(functions, expected):
                    for one, other in zip(known, results(function)):
                        self.assertEqual(other.dtype, torch.float32)
                        self.assertTrue(torch.equal(one, other))
        finally:
            torch.set_default_dtype(before)

    def test_shapes_of_weights(self):
        """(24, 5, 6, 3, 8): 6 tables of 8 rows of 5, a projection [1, 4, 4, 8, 8]."""
        weights, x = random_layer(*SHAPES[4]), random_x(9, 24)
        wrong = (
            ("LayerNorm.weight", 0, torch.zeros(24, 1)),
            ("LayerNorm.bias", 1, torch.zeros(1)),
            ("hash.projection.weight", 2, weights[2][:, :2].clone()),
            ("hash.projection.weight", 2, weights[2][0]),
            ("hash.projection.bias", 3, torch.zeros(17)),
            ("hash.projection.bias", 3, torch.zeros(0)),
            ("tables", 4, weights[4][:, :4].clone()),
            ("tables", 4, weights[4][:, :1].clone()),
            ("bias", 5, torch.zeros(1)),
            ("bias", 5, torch.zeros(7)),
        )
        for name, index, weight in wrong:
            changed = [*weights[:index], weight, *weights[index + 1 :]]
            for function in (torch.ops.lookupffn.train, ops.train_sparse):
                with self.subTest(name, shape=weight.shape), self.assertRaisesRegex(ValueError, name):
                    function(x, *changed, 0.7, 1e-5)
            for operator in (torch.ops.lookupffn.train, torch.ops.lookupffn.forward):
                with self.subTest(name, shape=weight.shape, meta=True), self.assertRaisesRegex(ValueError, name):
                    operator(*(tensor.to("meta") for tensor in (x, *changed)), 0.7, 1e-5)

    def test_what_backward_takes(self):
        for dtype in (torch.float32, torch.float64):
            weights, x = random_layer(*SHAPES[4], dtype=dtype), random_x(9, 24, dtype=dtype)
            y, saved = torch.ops.lookupffn.train(x, *weights, 0.7, 1e-5)
            for operator in (torch.ops.lookupffn.backward, torch.ops.lookupffn.backward_rows):
                operator(y, x, *weights, saved, 0.7, 1e-5)
                wrong = [
                    ("d_y", (y[:4], x, *weights, saved)),
                    ("d_y", (y.half(), x, *weights, saved)),
                    ("x has", (y, x[:, 1:].clone(), *weights, saved)),
                    ("bias", (y, x, *weights[:5], weights[5][:2], saved)),
                ]
                if dtype == torch.float32:
                    wrong += [("saved", (y, x, *weights, saved[:10].clone())), ("saved", (y, x, *weights, saved.double()))]
                for name, arguments in wrong:
                    with self.subTest(name, dtype=dtype), self.assertRaisesRegex((ValueError, TypeError), name):
                        operator(*arguments, 0.7, 1e-5)
                    if operator is torch.ops.lookupffn.backward:
                        with self.subTest(name, meta=True), self.assertRaisesRegex((ValueError, TypeError), name):
                            ops._backward_shape(*(tensor.to("meta") for tensor in arguments), 0.7, 1e-5)


class PackingTest(unittest.TestCase):
    def setUp(self):
        self.weights, self.x = random_layer(*SHAPES[4]), random_x(9, 24)
        ops.forget()

    def forward(self, *options):
        return torch.ops.lookupffn.forward(self.x, *self.weights, 0.7, 1e-5, *options)

    def test_packed_once(self):
        self.forward()
        layers = [kept.layer for kept in packing._kept.values()]
        for _ in range(3):
            self.forward()
        self.assertEqual([kept.layer for kept in packing._kept.values()], layers)
        self.assertEqual(len(layers), 1)
        self.forward("", "i8")
        self.assertEqual(len(packing._kept), 2)

    def test_other_tensors_of_the_same_memory(self):
        y = self.forward()
        (kept,) = packing._kept.values()
        aliases = [weight.detach() for weight in self.weights]
        self.assertTrue(torch.equal(torch.ops.lookupffn.forward(self.x, *aliases, 0.7, 1e-5), y))
        self.assertEqual(list(packing._kept.values()), [kept])

    def test_packed_again_when_a_weight_changes(self):
        for index in range(6):
            before = self.forward()
            with torch.no_grad():
                self.weights[index] += 0.5 * torch.randn(self.weights[index].shape, generator=torch.Generator().manual_seed(3))
            after = self.forward()
            self.assertFalse(torch.equal(before, after), packing.NAMES[index])
            expected = formulas.forward(self.x, *self.weights, 0.7, 1e-5)
            torch.testing.assert_close(after, expected, rtol=1e-3, atol=1e-4)
        self.weights[5] = self.weights[5] + 1
        self.assertFalse(torch.equal(self.forward(), after))

    def test_memory_that_is_used_again(self):
        for seed in range(20):
            self.weights = random_layer(*SHAPES[4], seed=seed)
            expected = formulas.forward(self.x, *self.weights, 0.7, 1e-5)
            torch.testing.assert_close(self.forward(), expected, rtol=1e-3, atol=1e-4)
        gc.collect()
        self.assertEqual(len(packing._kept), 1)
        del self.weights
        gc.collect()
        self.assertEqual(len(packing._kept), 0)

    def test_inference_mode(self):
        with torch.inference_mode():
            weights = random_layer(*SHAPES[4])
            y = torch.ops.lookupffn.forward(self.x, *weights, 0.7, 1e-5)
        self.assertTrue(torch.equal(y, self.forward()))


class GradientsTest(unittest.TestCase):
    def gradients(self, function, weights, x, **options):
        inputs = [tensor.detach().clone().requires_grad_() for tensor in (x, *weights)]
        y = function(*inputs, 0.6, 1e-5)
        y = y[0] if isinstance(y, tuple) else y
        y.backward(random_x(*y.shape, dtype=y.dtype, seed=5))
        return [tensor.grad for tensor in inputs]

    def test_against_autograd_of_the_formulas(self):
        for shape in SHAPES:
            weights, x = random_layer(*shape, dtype=torch.float64), random_x(40, shape[0], dtype=torch.float64)
            with self.subTest(shape=shape):
                expected = self.gradients(formulas.forward, weights, x)
                for name, one, other in zip(
                    ("x", *packing.NAMES), expected, self.gradients(torch.ops.lookupffn.train, weights, x)
                ):
                    torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-11, msg=lambda text: f"{name}: {text}")
                sparse = self.gradients(ops.train_sparse, weights, x)
                self.assertTrue(sparse[5].is_sparse)
                table, row = sparse[5]._indices()
                self.assertTrue(((table * 2 ** shape[3] + row).diff() > 0).all(), "rows ascend, each is there once")
                torch.testing.assert_close(sparse[5].to_dense(), expected[5], rtol=1e-9, atol=1e-11)

    def test_of_float32_and_of_the_packed_forward(self):
        for shape in SHAPES:
            weights, x = random_layer(*shape), random_x(2, 25, shape[0])
            doubles = [weight.double() for weight in weights]  # exactly the same values
            with self.subTest(shape=shape):
                expected = self.gradients(formulas.forward, doubles, x.reshape(50, -1).double())
                expected[0] = expected[0].reshape(x.shape)
                for operator in (torch.ops.lookupffn.train, torch.ops.lookupffn.forward):
                    for one, other in zip(expected, self.gradients(operator, weights, x)):
                        self.assertLess((other - one).norm(), 1e-4 * one.norm() + 1e-4, shape)

    def test_gradcheck(self):
        """Against finite differences, of inputs whose z are no closer to 0 than the differences go."""
        for shape in SHAPES[1:6]:
            weights = random_layer(*shape, dtype=torch.float64)
            x = random_x(200, shape[0], dtype=torch.float64)
            z = testing.z_of(x, *weights[:4], 0.6, 1e-5)
            x = x[(z.abs().min(1).values > 1e-3)][:2]
            self.assertEqual(len(x), 2, "too few tokens away from code flips")
            inputs = [tensor.clone().requires_grad_() for tensor in (x, *weights)]
            with self.subTest(shape=shape):
                self.assertTrue(
                    torch.autograd.gradcheck(
                        lambda *t: torch.ops.lookupffn.train(*t, 0.6, 1e-5)[0], inputs, eps=1e-6, fast_mode=shape != SHAPES[1]
                    )
                )

    def test_some_arguments_need_no_gradient(self):
        weights, x = random_layer(*SHAPES[4]), random_x(9, 24)
        weights[5].requires_grad_()
        for operator in (torch.ops.lookupffn.train, torch.ops.lookupffn.forward):
            y = operator(x, *weights, 0.7, 1e-5)
            (y[0] if isinstance(y, tuple) else y).sum().backward()
        torch.testing.assert_close(weights[5].grad, torch.full((5,), 18.0))
        self.assertIsNone(weights[4].grad)

    def test_no_tokens(self):
        weights = [weight.requires_grad_() for weight in random_layer(*SHAPES[4])]
        for function in (torch.ops.lookupffn.train, torch.ops.lookupffn.forward, ops.train_sparse):
            y = function(torch.empty(0, 24), *weights, 0.7, 1e-5)
            (y[0] if isinstance(y, tuple) else y).sum().backward()
        self.assertEqual(float(weights[2].grad.abs().sum()), 0)

    def test_memory_of_a_gradient_is_not_used_again_while_somebody_has_it(self):
        weights, x = random_layer(24, 5, 6, 3, 8), random_x(50, 24)
        kept = self.gradients(ops.train_sparse, weights, x)[5]
        copy = kept.to_dense().clone()
        for seed in range(5):
            self.gradients(ops.train_sparse, weights, random_x(50, 24, seed=seed + 10))
        self.assertTrue(torch.equal(kept.to_dense(), copy))

    def test_the_same_bits_again(self):
        weights, x = random_layer(24, 5, 6, 3, 8), random_x(500, 24)
        first = self.gradients(torch.ops.lookupffn.train, weights, x)
        threads = torch.get_num_threads()
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                again = self.gradients(torch.ops.lookupffn.train, weights, x)
                self.assertTrue(all(torch.equal(one, other) for one, other in zip(first, again)))
                sparse = self.gradients(ops.train_sparse, weights, x)
                self.assertTrue(torch.equal(sparse[5].to_dense(), first[5]))
        finally:
            torch.set_num_threads(threads)


@unittest.skipUnless(TORCH_2, "torch 2 checks operators, compiles and exports")
class TorchTwoTest(unittest.TestCase):
    def test_opcheck(self):
        for shape in SHAPES[1:5]:
            for needs in (False, True):
                weights = [weight.requires_grad_(needs) for weight in random_layer(*shape)]
                x = random_x(2, 3, shape[0]).requires_grad_(needs)
                for operator in (torch.ops.lookupffn.forward, torch.ops.lookupffn.train):
                    torch.library.opcheck(operator.default, (x, *weights, 0.7, 1e-5))
                y, saved = torch.ops.lookupffn.train(x, *weights, 0.7, 1e-5)
                arguments = [tensor.detach() for tensor in (y, x, *weights, saved)]
                torch.library.opcheck(torch.ops.lookupffn.backward.default, (*arguments, 0.7, 1e-5))

    def test_export(self):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.weights = torch.nn.ParameterList(random_layer(24, 5, 6, 3, 8))

            def forward(self, x):
                return torch.relu(torch.ops.lookupffn.forward(x, *self.weights, 0.7, 1e-5))

        module, x = Module().eval(), random_x(4, 24)
        tokens = torch.export.Dim("tokens", min=2)
        for strict in (True, False):
            program = torch.export.export(module, (x,), dynamic_shapes=({0: tokens},), strict=strict)
            other = random_x(7, 24, seed=9)
            self.assertTrue(torch.equal(program.module()(other), module(other)))

    def test_compile(self):
        # The back end that traces autograd and makes no code, which needs no compiler.
        def function(x, *weights):
            return torch.ops.lookupffn.train(x * 2, *weights, 0.7, 1e-5)[0].sin(), torch.ops.lookupffn.forward(
                x + 1, *weights, 0.7, 1e-5
            )

        compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
        results = []
        for run in (function, compiled):
            inputs = [tensor.requires_grad_() for tensor in (random_x(9, 24), *random_layer(24, 5, 6, 3, 8))]
            y = run(*inputs)
            (y[0].sum() + y[1].sum()).backward()
            results.append([*y, *(tensor.grad for tensor in inputs)])
        for one, other in zip(*results):
            torch.testing.assert_close(one, other)


if __name__ == "__main__":
    testing.main()

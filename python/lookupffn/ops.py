"""The PyTorch operators torch.ops.lookupffn.*: importing this module defines them.

    y = torch.ops.lookupffn.forward(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, bias,
                                    decay, layer_norm_eps, isa="", table_type="f32", projection_type="f32")

A layer's weights are arguments, with the shapes that they have in a model file. So the operators are functions, which can be
compiled, exported and differentiated. x is float32 [..., d_in]; y is [..., d_out]. What the library refuses is lookupffn.Error.
Tensors of other shapes or dtypes are a ValueError or a TypeError. `saved` is what train returned for the same x and weights,
unchanged: its values are not checked.

forward    runs the packed kernels. Weights are packed at the first call, and again where one has changed since.
train      runs the library's training kernels on the unpacked weights, and returns y and what its gradient needs. For dtypes
           other than float32 it runs plain torch operations.
backward   the gradients of all arguments, with codes held fixed.
backward_rows  the same, but for the tables only the rows that were picked and their gradients.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import formulas, gradients, kept_memory, packing
from .optim import catch_up, updater
from .packing import packed
from .system import Threads, default_thread_count
from .training import Training, library, shapes_of

__all__ = ["forget", "train_sparse"]

_library = torch.library.Library("lookupffn", "DEF")

_weights = "Tensor norm_weight, Tensor norm_bias, Tensor projection_weight, Tensor projection_bias, Tensor tables, Tensor bias"
_library.define(
    f"forward(Tensor x, {_weights}, float decay, float layer_norm_eps,"
    ' str isa="", str table_type="f32", str projection_type="f32") -> Tensor'
)
_library.define(f"train(Tensor x, {_weights}, float decay, float layer_norm_eps)" f" -> (Tensor y, Tensor saved)")
_backward_arguments = f"(Tensor d_y, Tensor x, {_weights}, Tensor saved, float decay, float layer_norm_eps)"
_library.define(
    f"backward{_backward_arguments} -> (Tensor d_x, Tensor d_norm_weight, Tensor d_norm_bias, Tensor d_projection_weight,"
    " Tensor d_projection_bias, Tensor d_tables, Tensor d_bias)"
)
_library.define(
    f"backward_rows{_backward_arguments} -> (Tensor d_x, Tensor d_norm_weight, Tensor d_norm_bias, Tensor d_projection_weight,"
    " Tensor d_projection_bias, Tensor rows, Tensor d_rows, Tensor d_bias)"
)


# ---- forward ----


def _need_x(x: Tensor, d_in: int, dtype: torch.dtype = torch.float32) -> None:
    if x.dtype != dtype:
        raise TypeError(f"lookupffn: x has dtype {x.dtype}; it takes {dtype}: x.to({dtype})")
    if x.dim() == 0 or x.shape[-1] != d_in:
        raise ValueError(f"lookupffn: x has shape {list(x.shape)}; it takes [..., d_in] with d_in = {d_in}")


class _Sizes(NamedTuple):
    """The sizes of a layer, as Training takes them."""

    d_in: int
    d_out: int
    tables: int
    bits: int
    block: int | None


def _sizes_of(weights: Sequence[Tensor]) -> _Sizes:
    """Raises ValueError for weights whose shapes do not fit each other. A compiler's symbols become numbers: what it makes is for
    weights of these shapes. Tokens may stay a symbol."""
    shapes = tuple([weight.shape for weight in weights])
    try:
        return _sizes_of_shapes(shapes)
    except TypeError:  # symbols cannot be looked up
        return _sizes_of_shapes(tuple(tuple(map(int, shape)) for shape in shapes))


@functools.lru_cache(maxsize=256)
def _sizes_of_shapes(shapes: tuple[tuple[int, ...], ...]) -> _Sizes:
    norm_weight, _, projection_weight, projection_bias, tables, _ = shapes
    for name, shape, dimensions in zip(packing.NAMES, shapes, ((1,), (1,), (2, 5), (1,), (3,), (1,))):
        if len(shape) not in dimensions or 0 in shape:
            raise ValueError(f"lookupffn: {name} has shape {list(shape)}; this is no shape of a layer's weight")
    count, _, d_out = tables
    (outputs,) = projection_bias
    if outputs % count:
        raise ValueError(f"lookupffn: {packing.NAMES[3]} has {outputs} elements; they are as many for each of {count} tables")
    block = None if len(projection_weight) == 2 else projection_weight[-1]
    sizes = _Sizes(norm_weight[0], d_out, count, outputs // count, block)
    for name, shape, wanted in zip(packing.NAMES, shapes, shapes_of(*sizes)):
        if tuple(shape) != wanted:
            raise ValueError(f"lookupffn: {name} has shape {list(shape)}; with the other weights' shapes it takes {list(wanted)}")
    return sizes


def _need(name: str, tensor: Tensor, shape: Sequence[int], dtype: torch.dtype) -> None:
    """For what a kernel gets the address of, beside x and the weights."""
    if tensor.dtype != dtype:
        raise TypeError(f"lookupffn: {name} has dtype {tensor.dtype}; it takes {dtype}")
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"lookupffn: {name} has shape {list(tensor.shape)}; it takes {list(shape)}")


def _forward(
    x,
    norm_weight,
    norm_bias,
    projection_weight,
    projection_bias,
    tables,
    bias,
    decay,
    layer_norm_eps,
    isa="",
    table_type="f32",
    projection_type="f32",
):
    weights = (norm_weight, norm_bias, projection_weight, projection_bias, tables, bias)
    layer = packed(weights, decay, layer_norm_eps, isa, table_type, projection_type)
    shape = layer.shape
    _need_x(x, shape.d_in)
    y = torch.empty((*x.shape[:-1], shape.d_out), dtype=torch.float32, device="cpu")
    if x.is_contiguous():
        stride = shape.d_in
    elif x.dim() == 2 and x.stride(1) == 1:
        stride = x.stride(0)
    else:
        x, stride = x.contiguous(), shape.d_in
    layer._forward(x.data_ptr(), stride, y.data_ptr(), shape.d_out, x.numel() // shape.d_in, 0, _pool())
    return y


def _forward_shape(x, *arguments):
    sizes = _sizes_of(arguments[:6])
    _need_x(x, sizes.d_in)
    return x.new_empty((*x.shape[:-1], sizes.d_out))


_library.impl("forward", _forward, "CPU")
_library.impl("forward", _forward_shape, "Meta")


@functools.lru_cache(maxsize=8)
def _threads_of(count: int) -> Threads:
    return Threads(count)


_default_count = functools.lru_cache(maxsize=None)(default_thread_count)


def _pool() -> Threads | None:
    """For packed kernels, torch's number of threads; None: the process's default pool has as many."""
    count = torch.get_num_threads()
    return None if count == _default_count() else _threads_of(count)


# ---- training ----


def forget() -> None:
    """Forgets all packed weights, so that the next forward of each layer packs again, and frees memory kept for training."""
    packing.forget()
    kept_memory.forget()


@functools.lru_cache(maxsize=None)
def _training(d_in: int, d_out: int, tables: int, bits: int, block: int | None, decay: float, eps: float) -> Training:
    return Training(d_in, d_out, tables, bits, block, decay, eps)


class _Step:
    """A training step's forward and backward on kernels. Weights are in the order of packing.NAMES."""

    def __init__(self, x: Tensor, weights: Sequence[Tensor], decay: float, layer_norm_eps: float) -> None:
        self.training = _training(*_sizes_of(weights), decay, layer_norm_eps)
        _need_x(x, self.training.d_in)
        for name, weight in zip(("x", *packing.NAMES), (x, *weights)):
            if weight.dtype != torch.float32 or weight.device.type != "cpu":
                raise TypeError(f"lookupffn: {name} is {weight.dtype} on {weight.device}; it takes float32 on the CPU")
        self.y_shape = (*x.shape[:-1], self.training.d_out)
        self.held = [x.reshape(-1, x.shape[-1]).contiguous(), *(weight.contiguous() for weight in weights)]
        self.x, self.tokens = self.held[0].data_ptr(), len(self.held[0])
        self.weights = library.Weights(*(weight.data_ptr() for weight in self.held[1:]))
        self.threads = _threads_of(torch.get_num_threads())

    def hash(self) -> Tensor:
        # Padding that no kernel writes is the same in each step, as torch's checks of operators want it.
        saved = kept_memory.empty(self.training.saved_floats(self.tokens), (self.training, self.tokens))
        self.training._hash(self.weights, self.x, self.training.d_in, self.tokens, saved.data_ptr(), self.threads)
        return saved

    def need_saved(self, saved: Tensor) -> None:
        _need("saved", saved, (self.training.saved_floats(self.tokens),), torch.float32)
        if saved.device.type != "cpu" or not saved.is_contiguous():
            raise ValueError("lookupffn: saved is not contiguous on the CPU, as train returned it")

    def rows(self, saved: Tensor) -> Tensor:
        self.need_saved(saved)
        rows = torch.empty(self.training._count_rows(self.tokens, saved.data_ptr()), dtype=torch.int64, device="cpu")
        self.training._rows(self.tokens, saved.data_ptr(), rows.data_ptr())
        return rows

    def gather(self, saved: Tensor) -> Tensor:
        y = torch.empty(self.tokens, self.training.d_out, dtype=torch.float32, device="cpu")
        self.training._gather(self.weights, self.tokens, saved.data_ptr(), y.data_ptr(), self.training.d_out, self.threads)
        return y

    def backward(self, d_y: Tensor, saved: Tensor, d_tables: Tensor, sparse: bool, adam=None) -> list[Tensor]:
        """The gradients of x and of the weights, with `d_tables` among them: the rows' where `sparse`."""
        self.need_saved(saved)
        _need("d_y", d_y, self.y_shape, torch.float32)
        if d_y.device.type != "cpu":
            raise ValueError(f"lookupffn: d_y is on {d_y.device}; it takes a tensor on the CPU")
        d_y = d_y.reshape(-1, self.training.d_out).contiguous()

        def empty(*shape):
            return torch.empty(shape, dtype=torch.float32, device="cpu")

        d_x = empty(self.tokens, self.training.d_in)
        d_weights = [*(empty(*weight.shape) for weight in self.held[1:5]), d_tables, empty(*self.held[6].shape)]
        at = [gradient.data_ptr() for gradient in d_weights]
        if adam is not None:
            at[4] = None
        to = Training._gradients(d_x.data_ptr(), at, sparse, adam)
        self.training._backward(
            self.weights, self.x, self.training.d_in, d_y.data_ptr(), self.training.d_out, self.tokens, saved.data_ptr(), to,
            self.threads,
        )  # fmt: skip
        return [d_x, *d_weights]


def _train(x, *arguments):
    sizes = _sizes_of(arguments[:6])
    _need_x(x, sizes.d_in, arguments[4].dtype)
    if x.dtype != torch.float32:
        y = formulas.forward(x.reshape(-1, x.shape[-1]), *arguments)
        return y.reshape(*x.shape[:-1], sizes.d_out), x.new_empty(0)
    step = _Step(x, *_split(arguments))
    saved = step.hash()
    return step.gather(saved).reshape(step.y_shape), saved


def _split(arguments):
    return arguments[:6], *arguments[6:8]


def _train_shape(x, *arguments):
    sizes = _sizes_of(arguments[:6])
    _need_x(x, sizes.d_in, arguments[4].dtype)
    y = x.new_empty((*x.shape[:-1], sizes.d_out))
    if x.dtype != torch.float32:
        return y, x.new_empty(0)
    training = _training(*sizes, *arguments[6:])
    return y, x.new_empty(training.saved_floats(x.numel() // x.shape[-1]))


_library.impl("train", _train, "CPU")
_library.impl("train", _train_shape, "Meta")


def _plain_backward_rows(d_y, x, norm_weight, norm_bias, projection_weight, projection_bias, tables, bias, decay, eps):
    sizes = _sizes_of((norm_weight, norm_bias, projection_weight, projection_bias, tables, bias))
    _need_x(x, sizes.d_in, tables.dtype)
    _need("d_y", d_y, (*x.shape[:-1], sizes.d_out), x.dtype)
    d_y = d_y.reshape(-1, d_y.shape[-1]).contiguous()
    flat = x.reshape(-1, x.shape[-1])
    h, mean, deviation = formulas.layer_norm(flat, norm_weight, norm_bias, eps)
    z, inputs = formulas.project(h, projection_weight, projection_bias, decay)
    code, score = formulas.code_of(z, len(tables)), formulas.score_of(z, len(tables))
    rows, d_rows = gradients.of_tables(d_y, code, score, tables.shape[1])
    d_z = gradients.of_z(gradients.of_score(d_y, code, tables), z)
    d_h, d_weight, d_projection_bias = gradients.of_projection(d_z, h, inputs, projection_weight, decay)
    d_x, d_norm_weight, d_norm_bias = gradients.of_layer_norm(d_h, flat, mean, deviation, norm_weight, norm_bias)
    return d_x.reshape(x.shape), d_norm_weight, d_norm_bias, d_weight, d_projection_bias, rows, d_rows, d_y.sum(0)


def _backward_rows(d_y, x, *arguments):
    *weights, saved, decay, layer_norm_eps = arguments
    if x.dtype != torch.float32:
        return _plain_backward_rows(d_y, x, *weights, decay, layer_norm_eps)
    step = _Step(x, weights, decay, layer_norm_eps)
    rows = step.rows(saved)
    d_rows = kept_memory.empty(len(rows) * step.training.d_out).reshape(len(rows), step.training.d_out)
    d_x, *before, d_rows, d_bias = step.backward(d_y, saved, d_rows, True)
    return d_x.reshape(x.shape), *before, rows, d_rows, d_bias


def _backward(d_y, x, *arguments):
    *weights, saved, decay, layer_norm_eps = arguments
    tables = weights[4]
    if x.dtype != torch.float32:
        *before, rows, d_rows, d_bias = _plain_backward_rows(d_y, x, *weights, decay, layer_norm_eps)
        d_tables = torch.zeros(tables.shape, dtype=tables.dtype, device="cpu")
        d_tables.view(-1, tables.shape[2])[rows] = d_rows
        return (*before, d_tables, d_bias)
    step = _Step(x, weights, decay, layer_norm_eps)
    d_tables = kept_memory.empty(tables.numel()).reshape(tables.shape)
    d_x, *d_weights = step.backward(d_y, saved, d_tables, False)
    return d_x.reshape(x.shape), *d_weights


def _backward_shape(d_y, x, *arguments):
    *weights, saved, decay, layer_norm_eps = arguments
    sizes = _sizes_of(weights)
    _need_x(x, sizes.d_in, weights[4].dtype)
    _need("d_y", d_y, (*x.shape[:-1], sizes.d_out), x.dtype)
    if x.dtype == torch.float32:
        tokens = x.numel() // x.shape[-1]
        _need("saved", saved, (_training(*sizes, decay, layer_norm_eps).saved_floats(tokens),), torch.float32)
    return tuple(torch.empty_like(argument, memory_format=torch.contiguous_format) for argument in (x, *weights))


_library.impl("backward_rows", _backward_rows, "CPU")
_library.impl("backward", _backward, "CPU")
_library.impl("backward", _backward_shape, "Meta")


# ---- autograd ----


class _Train(torch.autograd.Function):
    """train, differentiable by its first eight arguments through its first result."""

    @staticmethod
    def forward(ctx, x, *arguments):
        with _BelowAutograd():
            y, saved = torch.ops.lookupffn.train(x, *arguments)
        *weights, ctx.decay, ctx.layer_norm_eps = arguments
        ctx.save_for_backward(x, *weights, saved)
        ctx.mark_non_differentiable(saved)
        return y, saved

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y, *_):
        return (*torch.ops.lookupffn.backward(d_y, *ctx.saved_tensors, ctx.decay, ctx.layer_norm_eps), None, None)


class _Forward(torch.autograd.Function):
    """forward, differentiable: its gradient hashes again, as train does."""

    @staticmethod
    def forward(ctx, x, *arguments):
        with _BelowAutograd():
            y = torch.ops.lookupffn.forward(x, *arguments)
        ctx.constants = arguments[6:8]
        ctx.save_for_backward(x, *arguments[:6])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y):
        _, saved = torch.ops.lookupffn.train(*ctx.saved_tensors, *ctx.constants)
        return (*torch.ops.lookupffn.backward(d_y, *ctx.saved_tensors, saved, *ctx.constants), *[None] * 5)


class _TrainSparse(torch.autograd.Function):
    """train, with a sparse gradient of the tables."""

    @staticmethod
    def forward(ctx, x, *arguments):
        weights, ctx.decay, ctx.layer_norm_eps = _split(arguments)
        tables = weights[4]
        _need_x(x, _sizes_of(weights).d_in, tables.dtype)
        if x.dtype != torch.float32:
            catch_up(tables)
            y, saved = _train(x, *arguments)
        else:
            step = _Step(x, weights, ctx.decay, ctx.layer_norm_eps)
            saved = step.hash()
            catch_up(tables, lambda: step.rows(saved))
            y = step.gather(saved).reshape(step.y_shape)
        ctx.tables = tables
        ctx.save_for_backward(x, *weights, saved)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y):
        try:
            x, *weights, saved = ctx.saved_tensors
        except RuntimeError as error:
            if updater(ctx.tables) is None:
                raise
            raise RuntimeError(
                "lookupffn: a weight has changed since this layer's forward. With RowAdam(in_backward=True) a backward updates the"
                " tables, so a graph has such a layer once, and there is no other step between its forward and its backward"
            ) from error
        update = updater(ctx.tables) if x.dtype == torch.float32 and ctx.needs_input_grad[5] else None
        if update is not None:
            step = _Step(x, weights, ctx.decay, ctx.layer_norm_eps)
            with update(len(step.rows(saved))) as adam:
                d_x, *before, _, d_bias = step.backward(d_y, saved, ctx.tables, True, adam)
            return (d_x.reshape(x.shape), *before, None, d_bias, None, None)
        *before, rows, d_rows, d_bias = torch.ops.lookupffn.backward_rows(
            d_y, x, *weights, saved, ctx.decay, ctx.layer_norm_eps
        )
        shape = ctx.tables.shape
        indices = torch.stack((torch.div(rows, shape[1], rounding_mode="floor"), rows % shape[1]))
        # Rows ascend and each is there once.
        d_tables = torch.sparse_coo_tensor(indices, d_rows, shape)._coalesced_(True)
        return (*before, d_tables, d_bias, None, None)


class _BelowAutograd:
    """In its block operators run without autograd, which is done here."""

    def __enter__(self):
        self.guard = torch._C._AutoDispatchBelowAutograd()
        if hasattr(self.guard, "__enter__"):  # since torch 2.0; before, it holds while it lives
            self.guard.__enter__()

    def __exit__(self, *error):
        if hasattr(self.guard, "__exit__"):
            self.guard.__exit__(*error)
        del self.guard


# How many Python dispatch modes (tracing, fake tensors, ...) want to see operators.
if hasattr(torch._C, "_len_torch_dispatch_stack"):
    _mode_count = torch._C._len_torch_dispatch_stack
else:  # torch 1.13

    def _mode_count():
        return torch._C._get_torch_dispatch_mode() is not None


_plain = (Tensor, torch.nn.Parameter)


def _forward_autograd(
    x,
    norm_weight,
    norm_bias,
    projection_weight,
    projection_bias,
    tables,
    bias,
    decay,
    layer_norm_eps,
    isa="",
    table_type="f32",
    projection_type="f32",
):
    arguments = (norm_weight, norm_bias, projection_weight, projection_bias, tables, bias, decay, layer_norm_eps)
    if torch.is_grad_enabled() and (x.requires_grad or any(weight.requires_grad for weight in arguments[:6])):
        return _Forward.apply(x, *arguments, isa, table_type, projection_type)
    if type(x) in _plain and type(tables) in _plain and x.device.type == "cpu" and not _mode_count():
        return _forward(x, *arguments, isa, table_type, projection_type)  # saves going through the dispatcher again
    with _BelowAutograd():
        return torch.ops.lookupffn.forward(x, *arguments, isa, table_type, projection_type)


def _train_autograd(*arguments):
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in arguments[:7]):
        return _Train.apply(*arguments)
    with _BelowAutograd():
        return torch.ops.lookupffn.train(*arguments)


_library.impl("forward", _forward_autograd, "Autograd")
_library.impl("train", _train_autograd, "Autograd")


def train_sparse(x: Tensor, *arguments) -> Tensor:
    """y of torch.ops.lookupffn.train, with a sparse gradient of the tables for lookupffn.optim.RowAdam: it holds the rows that
    at least one token picked. This is not an operator: torch.compile and torch.export do not see into it."""
    return _TrainSparse.apply(x, *arguments)

"""The PyTorch operators torch.ops.lookupffn.*: importing this module defines them.

    y = torch.ops.lookupffn.forward(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, bias,
                                    decay, layer_norm_eps, isa="", table_type="f32", projection_type="f32")

A layer's weights are arguments, under the names and shapes of a model file, so that the operators are functions: they may be
compiled, exported and differentiated. x is float32 [..., d_in]; y is [..., d_out]. What the library refuses is lookupffn.Error.

forward    runs the packed kernels. Weights are packed at the first call, and again where one has changed since.
train      runs plain torch operations and returns beside y what its gradient needs.
backward   the gradients of all arguments, with codes held fixed.
backward_rows  the same; of the tables, the rows that were picked and their gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import formulas, gradients
from .optim import catch_up
from .packing import forget, packed

__all__ = ["forget", "train_sparse"]

_library = torch.library.Library("lookupffn", "DEF")

_weights = "Tensor norm_weight, Tensor norm_bias, Tensor projection_weight, Tensor projection_bias, Tensor tables, Tensor bias"
_saved = "Tensor h, Tensor z, Tensor code, Tensor score, Tensor mean, Tensor deviation, Tensor inputs"
_library.define(
    f"forward(Tensor x, {_weights}, float decay, float layer_norm_eps,"
    ' str isa="", str table_type="f32", str projection_type="f32") -> Tensor'
)
_library.define(f"train(Tensor x, {_weights}, float decay, float layer_norm_eps)" f" -> (Tensor y, {_saved})")
_backward_arguments = f"(Tensor d_y, Tensor x, {_weights}, {_saved}, float decay)"
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
    y = torch.empty((*x.shape[:-1], shape.d_out))
    if x.is_contiguous():
        stride = shape.d_in
    elif x.dim() == 2 and x.stride(1) == 1:
        stride = x.stride(0)
    else:
        x, stride = x.contiguous(), shape.d_in
    layer._forward(x.data_ptr(), stride, y.data_ptr(), shape.d_out, x.numel() // shape.d_in, 0, None)
    return y


def _forward_shape(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, *_):
    _need_x(x, norm_weight.shape[0])
    return x.new_empty((*x.shape[:-1], tables.shape[2]))


_library.impl("forward", _forward, "CPU")
_library.impl("forward", _forward_shape, "Meta")


# ---- training, as plain torch operations ----


def _hash(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, decay, layer_norm_eps):
    """What _saved names."""
    _need_x(x, norm_weight.shape[0], tables.dtype)
    flat = x.reshape(-1, x.shape[-1])
    h, mean, deviation = formulas.layer_norm(flat, norm_weight, norm_bias, layer_norm_eps)
    z, inputs = formulas.project(h, projection_weight, projection_bias, decay)
    return h, z, formulas.code_of(z, len(tables)), formulas.score_of(z, len(tables)), mean, deviation, inputs


def _gather(x, code, score, tables, bias):
    return formulas.gather(code, score, tables, bias).reshape(*x.shape[:-1], tables.shape[2])


def _train(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, bias, decay, layer_norm_eps):
    saved = _hash(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, decay, layer_norm_eps)
    _, _, code, score, *_ = saved
    return _gather(x, code, score, tables, bias), *saved


def _train_shape(x, norm_weight, norm_bias, projection_weight, projection_bias, tables, *_):
    _need_x(x, norm_weight.shape[0], tables.dtype)
    d_in = x.shape[-1]
    tokens = x.numel() // d_in
    shapes = [(tokens, d_in), (tokens, projection_bias.shape[0]), (tokens, 1)]
    h, z, mean = (x.new_empty(shape) for shape in shapes)
    code = x.new_empty((tokens, tables.shape[0]), dtype=torch.int64)
    if projection_weight.dim() == 2:
        inputs = x.new_empty(0)
    else:
        repeats, stages, segments, block, _ = projection_weight.shape
        inputs = x.new_empty((repeats, stages, tokens, segments * block))
    y = x.new_empty((*x.shape[:-1], tables.shape[2]))
    return y, h, z, code, x.new_empty(code.shape), mean, torch.empty_like(mean), inputs


_library.impl("train", _train, "CPU")
_library.impl("train", _train_shape, "Meta")


def _backward_rows(
    d_y, x, norm_weight, norm_bias, projection_weight, projection_bias, tables, bias,
    h, z, code, score, mean, deviation, inputs, decay,
):  # fmt: skip
    d_y = d_y.reshape(-1, d_y.shape[-1]).contiguous()
    flat = x.reshape(-1, x.shape[-1])
    rows, d_rows = gradients.of_tables(d_y, code, score, tables.shape[1])
    d_z = gradients.of_z(gradients.of_score(d_y, code, tables), z)
    d_h, d_weight, d_projection_bias = gradients.of_projection(d_z, h, inputs, projection_weight, decay)
    d_x, d_norm_weight, d_norm_bias = gradients.of_layer_norm(d_h, flat, mean, deviation, norm_weight, norm_bias)
    return (
        d_x.reshape(x.shape), d_norm_weight, d_norm_bias, d_weight, d_projection_bias, rows, d_rows, d_y.sum(0)
    )  # fmt: skip


def _backward(d_y, x, norm_weight, norm_bias, projection_weight, projection_bias, tables, *rest):
    *before, rows, d_rows, d_bias = _backward_rows(
        d_y, x, norm_weight, norm_bias, projection_weight, projection_bias, tables, *rest
    )
    d_tables = torch.zeros(tables.shape, dtype=tables.dtype)
    d_tables.view(-1, tables.shape[2])[rows] = d_rows
    return (*before, d_tables, d_bias)


def _backward_shape(d_y, *arguments):
    return tuple(torch.empty_like(argument, memory_format=torch.contiguous_format) for argument in arguments[:7])


_library.impl("backward_rows", _backward_rows, "CPU")
_library.impl("backward", _backward, "CPU")
_library.impl("backward", _backward_shape, "Meta")


# ---- autograd ----


class _Train(torch.autograd.Function):
    """train, differentiable by its first eight arguments through its first result."""

    @staticmethod
    def forward(ctx, x, *arguments):
        with _BelowAutograd():
            y, *saved = torch.ops.lookupffn.train(x, *arguments)
        *weights, ctx.decay, _ = arguments
        ctx.save_for_backward(x, *weights, *saved)
        ctx.mark_non_differentiable(*saved)
        return (y, *saved)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y, *_):
        return (*torch.ops.lookupffn.backward(d_y, *ctx.saved_tensors, ctx.decay), None, None)


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
        _, *saved = torch.ops.lookupffn.train(*ctx.saved_tensors, *ctx.constants)
        decay, _ = ctx.constants
        return (*torch.ops.lookupffn.backward(d_y, *ctx.saved_tensors, *saved, decay), *[None] * 5)


class _TrainSparse(torch.autograd.Function):
    """train, with a sparse gradient of the tables."""

    @staticmethod
    def forward(ctx, x, *arguments):
        *hash_weights, tables, bias, ctx.decay, layer_norm_eps = arguments
        saved = _hash(x, *hash_weights, tables, ctx.decay, layer_norm_eps)
        _, _, code, score, *_ = saved
        catch_up(tables, formulas.flat_rows(code, tables.shape[1]).reshape(-1))
        y = _gather(x, code, score, tables, bias)
        ctx.save_for_backward(x, *hash_weights, tables, bias, *saved)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y):
        *before, rows, d_rows, d_bias = torch.ops.lookupffn.backward_rows(d_y, *ctx.saved_tensors, ctx.decay)
        shape = ctx.saved_tensors[5].shape
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
    """y of torch.ops.lookupffn.train, whose gradient of the tables is a sparse tensor: a row of it for each row that some token
    picked. What lookupffn.optim.RowAdam takes. It is no operator: torch.compile and torch.export do not see into it."""
    return _TrainSparse.apply(x, *arguments)

"""Training steps of LookupFFN layers on the library's kernels, on weights in the caller's memory."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from . import library
from .arrays import address, contiguous, empty_aligned, rows_of
from .library import Held, c, check
from .system import Threads, pool_of


class Weights(NamedTuple):
    """A layer's weights, or their gradients, with the names and shapes of a model file. float32, contiguous."""

    norm_weight: np.ndarray
    """LayerNorm.weight [d_in]"""
    norm_bias: np.ndarray
    """LayerNorm.bias [d_in]"""
    projection_weight: np.ndarray
    """dense [tables * bits, d_in]; bh4 [repeats, 4, p / block, block, block]"""
    projection_bias: np.ndarray
    """[tables * bits]"""
    tables: np.ndarray
    """[tables, rows, d_out]"""
    bias: np.ndarray
    """[d_out]"""


def shapes_of(d_in: int, d_out: int, tables: int, bits: int, block: int | None) -> Weights:
    """The shapes that a layer's weights have. block: None for a dense projection."""
    p = 1 << (d_in - 1).bit_length()
    if block is None:
        projection: tuple[int, ...] = (tables * bits, d_in)
    else:
        projection = (max(1, -(-tables * bits // p)), 4, p // block, block, block)
    return Weights((d_in,), (d_in,), projection, (tables * bits,), (tables, 1 << bits, d_out), (d_out,))


class Saved:
    """What a step's forward keeps for its backward: given by Training.forward, and taken by the same Training only."""

    def __init__(self, training: Training, tokens: int) -> None:
        self._training, self.tokens = training, tokens
        self._memory = empty_aligned(training.saved_floats(tokens))

    def _address(self) -> int:
        return address(self._memory)

    def __repr__(self) -> str:
        return f"<lookupffn.Saved of {self.tokens} tokens>"

    def __reduce__(self):
        raise TypeError("a lookupffn.Saved belongs to its Training, and cannot be copied or pickled")


class Training(Held):
    """Training steps for layers of one shape. It holds no weights and may be shared between Python threads.

        training = lookupffn.Training(512, 512, 128, 8, block=64)
        y, saved = training.forward(weights, x)
        d_x, gradients = training.backward(weights, x, d_y, saved)

    d_in, d_out, tables, bits: sizes of the layer
    block: edge of a block of a BH4 projection; None: a dense projection
    decay, layer_norm_eps: as in a model file's metadata
    isa: None for the active one

    Gradients are those of the formulas with codes held fixed. Their bits depend neither on the threads nor on what else runs.
    Arrays are float32 and contiguous unless stated otherwise, else TypeError or ValueError. What the library refuses is Error.
    """

    _instead = "make a Training of these sizes there"

    def __init__(
        self,
        d_in: int,
        d_out: int,
        tables: int,
        bits: int,
        block: int | None = None,
        decay: float = 0.7,
        layer_norm_eps: float = 1e-5,
        isa: str | None = None,
    ) -> None:
        self._handle: int | None = None
        for name, value in (("d_in", d_in), ("d_out", d_out), ("tables", tables), ("bits", bits), ("block", block or 0)):
            if not 0 <= value < 1 << 32:
                raise ValueError(f"{name} is {value}, which no layer has")
        shape = library.Shape()
        shape.projection = library.PROJECTIONS.index("dense" if block is None else "bh4")
        shape.d_in, shape.d_out, shape.tables, shape.bits, shape.block = d_in, d_out, tables, bits, block or 0
        shape.decay, shape.layer_norm_eps = decay, layer_norm_eps
        handle = ctypes.c_void_p()
        check(c.lookupffn_training_create(shape, isa.encode() if isa else None, handle))
        self._handle = handle.value
        self.d_in, self.d_out, self.tables, self.bits = d_in, d_out, tables, bits
        self._shapes = shapes_of(d_in, d_out, tables, bits, block)
        one, two = (c.lookupffn_training_saved_floats(self._handle, tokens) for tokens in (16, 32))
        self._floats_of_token = (two - one) // 16
        self._floats_of_step = one - 16 * self._floats_of_token

    def __del__(self, free=c.lookupffn_training_free) -> None:
        if getattr(self, "_handle", None) is not None:
            free(self._handle)
            self._handle = None

    def saved_floats(self, tokens):
        """How many floats a step of `tokens` tokens keeps from its forward for its backward."""
        return self._floats_of_step + (tokens + 15) * self._floats_of_token

    # ---- on NumPy arrays ----

    def forward(self, weights: Weights, x: np.ndarray, threads: Threads | None = None) -> tuple[np.ndarray, Saved]:
        """Returns y [..., d_out] for x [..., d_in], and `saved`, which backward() needs."""
        given = self._weights(weights)
        x_at, x_stride, tokens = rows_of("x", x, self.d_in, "d_in")
        saved = Saved(self, tokens)
        y = np.empty((*x.shape[:-1], self.d_out), np.float32)
        self._hash(given, x_at, x_stride, tokens, saved._address(), threads)
        self._gather(given, tokens, saved._address(), address(y), self.d_out, threads)
        return y, saved

    def rows(self, saved: Saved, tokens: int) -> np.ndarray:
        """The rows that at least one token of the step picked, ascending, numbered through all tables: int64."""
        at = self._address_of(saved, tokens)
        rows = np.empty(self._count_rows(tokens, at), np.int64)
        self._rows(tokens, at, address(rows))
        return rows

    def backward(
        self,
        weights: Weights,
        x: np.ndarray,
        d_y: np.ndarray,
        saved: Saved,
        sparse: bool = False,
        threads: Threads | None = None,
    ) -> tuple[np.ndarray, Weights]:
        """The gradients by x and by the weights, given d_y, the gradient by y; x, weights and saved are the forward's.

        sparse: instead of the tables' gradient [tables, rows, d_out], return that of the rows given by rows(): [count, d_out].
        """
        given = self._weights(weights)
        x_at, x_stride, tokens = rows_of("x", x, self.d_in, "d_in")
        y_at, y_stride, others = rows_of("d_y", d_y, self.d_out, "d_out")
        if others != tokens:
            raise ValueError(f"d_y has {others} tokens, x has {tokens}")
        saved_at = self._address_of(saved, tokens)
        shapes = self._shapes
        if sparse:
            shapes = shapes._replace(tables=(self._count_rows(tokens, saved_at), self.d_out))
        gradients = Weights(*(np.empty(shape, np.float32) for shape in shapes))
        d_x = np.empty(x.shape, np.float32)
        to = self._gradients(address(d_x), [address(gradient) for gradient in gradients], sparse)
        self._backward(given, x_at, x_stride, y_at, y_stride, tokens, saved_at, to, threads)
        return d_x, gradients

    def _weights(self, weights: Weights) -> library.Weights:
        arrays = (contiguous(name, array, np.float32, shape) for name, array, shape in zip(Weights._fields, weights, self._shapes))
        return library.Weights(*(address(array) for array in arrays))

    def _address_of(self, saved: Saved, tokens: int) -> int:
        if not isinstance(saved, Saved):
            raise TypeError(f"saved is a {type(saved).__name__}; give what forward() returned beside y")
        if saved._training is not self:
            raise ValueError("saved is another Training's")
        if saved.tokens != tokens:
            raise ValueError(f"saved is of {saved.tokens} tokens, not {tokens}")
        return saved._address()

    # ---- on addresses ----

    def _hash(self, weights: library.Weights, x: int, x_stride: int, tokens: int, saved: int, threads: Threads | None) -> None:
        handle = pool_of(threads)
        check(c.lookupffn_training_hash(self._handle, handle, weights, x, x_stride, tokens, saved))

    def _count_rows(self, tokens: int, saved: int) -> int:
        count = ctypes.c_size_t()
        check(c.lookupffn_training_rows(self._handle, tokens, saved, None, count))
        return count.value

    def _rows(self, tokens: int, saved: int, rows: int) -> None:
        check(c.lookupffn_training_rows(self._handle, tokens, saved, rows, ctypes.c_size_t()))

    def _gather(self, weights: library.Weights, tokens: int, saved: int, y: int, y_stride: int, threads: Threads | None) -> None:
        handle = pool_of(threads)
        check(c.lookupffn_training_gather(self._handle, handle, weights, tokens, saved, y, y_stride))

    @staticmethod
    def _gradients(x: int, weights: list[int | None], sparse: bool, adam: library.RowAdam | None = None) -> library.Gradients:
        """weights: addresses in the order of Weights; the tables' is that of the rows where `sparse`."""
        *others, tables, bias = weights
        pointer = ctypes.pointer(adam) if adam is not None else None
        return library.Gradients(x, *others, bias, None if sparse else tables, tables if sparse else None, pointer)

    def _backward(
        self,
        weights: library.Weights,
        x: int,
        x_stride: int,
        d_y: int,
        d_y_stride: int,
        tokens: int,
        saved: int,
        gradients: library.Gradients,
        threads: Threads | None,
    ) -> None:
        handle = pool_of(threads)
        check(
            c.lookupffn_training_backward(
                self._handle, handle, weights, x, x_stride, d_y, d_y_stride, tokens, saved, gradients
            )
        )

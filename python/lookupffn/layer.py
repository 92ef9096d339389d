"""A packed layer, which runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import library
from .arrays import address, contiguous, rows_of
from .library import Held, c, check, text
from .system import TYPE_NAMES, Threads, pool_of


@dataclass(frozen=True)
class LayerShape:
    """The sizes of a layer. The project's docs/families.md says what the families compute."""

    prefix: str
    """What its tensors' names begin with: "encoder.layer.3.FFN.", or ""."""
    family: str
    """ "lookupffn", "memoryformer", "embedding_bag" or "fff"."""
    projection: str | None
    """How z is made: "dense", "bh4", or None for no projection."""
    d_in: int
    """Floats of a row of x; 0: the layer takes ids."""
    d_out: int
    """Floats of a row of y."""
    tables: int
    bits: int
    """Bits of a code that is made of signs: rows = 2^bits; else 0."""
    rows: int
    """Rows of a table."""
    lookups: int
    """Rows added up per token: codes and scores are [tokens, lookups]; 0: as many as it has ids."""
    block: int
    """bh4: edge of a block; fff: hidden width of a leaf; else 0."""
    repeats: int
    """bh4: how often d_in, rounded up to a power of two, is projected; else 0."""
    decay: float
    """bh4: the weight of the projected values in z; else 1."""
    layer_norm_eps: float
    """What LayerNorm adds to the variance; 0: there is no LayerNorm."""

    @classmethod
    def _of(cls, shape: library.Shape) -> LayerShape:
        return cls(
            text(shape.prefix),
            text(shape.family),
            library.PROJECTIONS[shape.projection],
            shape.d_in,
            shape.d_out,
            shape.tables,
            shape.bits,
            shape.rows,
            shape.lookups,
            shape.block,
            shape.repeats,
            shape.decay,
            shape.layer_norm_eps,
        )


@dataclass(frozen=True)
class LayerInfo:
    """Which kernels a packed layer runs on, and how much memory it takes."""

    isa: str
    """The ISA that it was packed for."""
    table_type: str
    projection_type: str
    specialised: bool
    """It runs on kernels made for its shape; False: on generic ones."""
    fallback: str
    """Why it is generic although specialised was possible, or ""."""
    kernels: str
    """One line: kernel library and schedule record per batch class."""
    table_bytes: int
    projection_bytes: int
    packed_bytes: int
    """All memory that the layer holds."""
    huge_page_bytes: int
    """How much of it the system was asked to hold in huge pages."""
    pack_seconds: float


class Layer(Held):
    """A packed layer, made by Model.pack. Immutable; it may be shared between Python threads, and other Python threads can
    run during its calls. It no longer needs the model.

    Each method names the dtypes and shapes of its NumPy arrays; other dtypes raise TypeError, other shapes ValueError. Arrays
    are read and written in place: nothing is copied, and an array that would have to be copied raises ValueError. What the
    library itself refuses raises lookupffn.Error.
    """

    shape: LayerShape
    info: LayerInfo
    _instead = "open the model and pack the layer there"

    def __init__(self, handle: int) -> None:
        """Takes over a lookupffn_layer. Use Model.pack."""
        self._handle: int | None = handle
        described = library.LayerInfo()
        check(c.lookupffn_layer_describe(handle, described))
        self.shape = LayerShape._of(described.shape)
        self.info = LayerInfo(
            text(described.isa),
            TYPE_NAMES[described.table_type],
            TYPE_NAMES[described.projection_type],
            bool(described.specialised),
            text(described.fallback),
            text(described.kernels),
            described.table_bytes,
            described.projection_bytes,
            described.packed_bytes,
            described.huge_page_bytes,
            described.pack_seconds,
        )

    def __del__(self, free=c.lookupffn_layer_free) -> None:
        if getattr(self, "_handle", None) is not None:
            free(self._handle)
            self._handle = None

    def __repr__(self) -> str:
        s = self.shape
        return (
            f"<lookupffn.Layer '{s.prefix}': {s.family}, {s.d_in} to {s.d_out}, {s.tables} tables of {s.rows} rows,"
            f" {self.info.table_type}, {self.info.isa}>"
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """forward(x)"""
        return self.forward(x)

    def forward(
        self, x: np.ndarray, out: np.ndarray | None = None, *, residual: bool = False, threads: Threads | None = None
    ) -> np.ndarray:
        """y = layer(x), row by row.

        x: float32 [..., d_in]. Contiguous, or two-dimensional with rows that are each contiguous.
        out: float32 [..., d_out] to write y to, with the same leading dimensions; it may be x itself, and must not overlap it
            otherwise. None: a new array.
        residual: y = x + layer(x), for d_in = d_out.
        threads: None for the process's default pool. A row's bits depend neither on the threads nor on the other rows.

        Returns y, which is `out` if that was given. A row of x that is not finite gives a row of y that is not finite.
        """
        shape = self.shape
        x_address, x_stride, tokens = rows_of("x", x, shape.d_in, "d_in") if shape.d_in else _takes_ids()
        y_shape = (*x.shape[:-1], shape.d_out)
        if out is None:
            out = np.empty(y_shape, np.float32)
            y_address, y_stride = address(out), shape.d_out
        else:
            y_address, y_stride, _ = rows_of("out", out, shape.d_out, "d_out", writable=True)
            if out.shape != y_shape:
                raise ValueError(f"out has shape {out.shape}; for x of shape {x.shape} it takes {y_shape}")
        flags = library.ADD_RESIDUAL if residual else 0
        self._forward(x_address, x_stride, y_address, y_stride, tokens, flags, threads)
        return out

    def _forward(self, x: int, x_stride: int, y: int, y_stride: int, tokens: int, flags: int, threads: Threads | None) -> None:
        """lookupffn_forward on addresses."""
        pool = pool_of(threads)
        status = c.lookupffn_forward(self._handle, pool, x, x_stride, y, y_stride, tokens, flags)
        if status:
            check(status)

    def forward_ids(
        self,
        ids: np.ndarray,
        offsets: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        out: np.ndarray | None = None,
        *,
        mean: bool = False,
        threads: Threads | None = None,
    ) -> np.ndarray:
        """For layers that take ids (shape.d_in is 0): y[b, :] = the sum of weight * row over the ids of bag b.

        ids: int64 [count], contiguous, each 0 to rows - 1; or [bags, ids of a bag], then without offsets.
        offsets: int64 [bags], ascending: bag b is ids[offsets[b]] up to the start of the next bag, the last bag up to `count`.
        weights: float32, shaped like ids; None: all 1.
        out: float32 [bags, d_out]; None: a new array.
        mean: the mean of a bag's rows instead of the sum, 0 for an empty bag; cannot be combined with weights.

        Returns y [bags, d_out].
        """
        ids = contiguous("ids", ids, np.int64)
        if ids.ndim == 2 and offsets is None:
            offsets = np.arange(ids.shape[0], dtype=np.int64) * ids.shape[1]
        elif ids.ndim != 1 or offsets is None:
            raise ValueError(f"ids has shape {ids.shape}; it takes [count] with offsets, or [bags, ids of a bag] without")
        offsets = contiguous("offsets", offsets, np.int64, (len(offsets),))
        if weights is not None:
            weights = contiguous("weights", weights, np.float32, ids.shape)
        bags, d_out = len(offsets), self.shape.d_out
        if out is None:
            out = np.empty((bags, d_out), np.float32)
        y_address, y_stride, rows = rows_of("out", out, d_out, "d_out", writable=True)
        if rows != bags:
            raise ValueError(f"out has shape {out.shape}; for {bags} bags it takes {(bags, d_out)}")
        check(
            c.lookupffn_forward_ids(
                self._handle,
                pool_of(threads),
                address(ids),
                ids.size,
                address(offsets),
                bags,
                None if weights is None else address(weights),
                y_address,
                y_stride,
                library.MEAN if mean else 0,
            )
        )
        return out

    def hash(self, x: np.ndarray, *, threads: Threads | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The first half of a forward: which rows, and how much of each.

        x: float32 [..., d_in], as for forward.

        Returns code, int32 [..., lookups], and score, float32 [..., lookups]. Raises Error where a layer takes ids.
        """
        shape = self.shape
        x_address, x_stride, tokens = rows_of("x", x, shape.d_in, "d_in") if shape.d_in else _takes_ids()
        code = np.empty((*x.shape[:-1], shape.lookups), np.int32)
        score = np.empty(code.shape, np.float32)
        pool = pool_of(threads)
        check(c.lookupffn_hash(self._handle, pool, x_address, x_stride, address(code), address(score), tokens))
        return code, score

    def gather(
        self, code: np.ndarray, score: np.ndarray, out: np.ndarray | None = None, *, threads: Threads | None = None
    ) -> np.ndarray:
        """The second half: y = bias + sum over t of score[..., t] * table[t, code[..., t], :].

        code: int32 [..., lookups], contiguous, each 0 to rows - 1, else Error.
        score: float32, shaped like code, contiguous, not negative.
        out: float32 [..., d_out]; None: a new array.

        Returns y [..., d_out]. Raises Error if the layer has no rows to gather.
        """
        shape = self.shape
        code = contiguous("code", code, np.int32)
        if code.ndim == 0 or code.shape[-1] != shape.lookups or shape.lookups == 0:
            raise ValueError(f"code has shape {code.shape}; it takes [..., lookups] with lookups = {shape.lookups}")
        score = contiguous("score", score, np.float32, code.shape)
        tokens = code.size // shape.lookups
        y_shape = (*code.shape[:-1], shape.d_out)
        if out is None:
            out = np.empty(y_shape, np.float32)
        y_address, y_stride, _ = rows_of("out", out, shape.d_out, "d_out", writable=True)
        if out.shape != y_shape:
            raise ValueError(f"out has shape {out.shape}; for code of shape {code.shape} it takes {y_shape}")
        pool = pool_of(threads)
        check(c.lookupffn_gather(self._handle, pool, address(code), address(score), y_address, y_stride, tokens))
        return out


def _takes_ids() -> tuple[int, int, int]:
    raise ValueError("this layer takes ids, no x: call forward_ids")

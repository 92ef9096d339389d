"""LookupFFN layers as PyTorch modules.

    ffn = lookupffn.nn.LookupFFN(512, 512, tables=128, bits=8)
    y = ffn(x)                                            # trains with any optimiser; in eval() it runs on packed kernels
    lookupffn.nn.save(model, "model.safetensors")         # the file that lookupffn.Model, lookupffn_model_open, ... read
"""

from __future__ import annotations

import contextlib
import math
import os
from typing import Any, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from . import ops, packing
from .optim import catch_up
from .packing import NAMES
from .safetensors_file import load_torch_file, save_file

DECAY = 0.7
"""The decay of a model file that does not give it; LAYER_NORM_EPS likewise."""
LAYER_NORM_EPS = 1e-5
MOST_BITS = 16


# Whether torch.compile or torch.export is looking on, which came with torch 2.
_is_compiling = torch.compiler.is_compiling if hasattr(torch, "compiler") else lambda: False


def _mean_square_score(bits: int) -> float:
    """E[score^2] where the bits of z are independent and N(0, 1): with s_j = sigmoid(2 |z_j|) score is sum |z_j| * prod s_j."""
    z = np.linspace(0, 10, 100001)
    density = np.exp(-z * z / 2) * math.sqrt(2 / math.pi)  # of |z|
    square = 1 / (1 + np.exp(-2 * z)) ** 2

    def mean(values):
        return float((values * density).sum() * (z[1] - z[0]))

    none, once, twice = mean(square), mean(z * square), mean(z * z * square)
    pairs = bits * (bits - 1) * once**2 * none ** (bits - 2) if bits > 1 else 0.0
    return bits * twice * none ** (bits - 1) + pairs


class Projection(torch.nn.Module):
    """The parameters of a projection; LookupFFN computes with them.

    weight: dense [outputs, d_in]; BH4 [repeats, 4, p / block, block, block], p = d_in rounded up to a power of two,
        repeats = max(1, ceil(outputs / p)). bias: [outputs].
    """

    def __init__(self, d_in: int, outputs: int, block: int | None, decay: float) -> None:
        super().__init__()
        self.d_in, self.decay = d_in, decay
        if block is None:
            shape: tuple[int, ...] = (outputs, d_in)
        else:
            p = 1 << (d_in - 1).bit_length()
            if block < 1 or block & (block - 1) or block > p:
                raise ValueError(f"block is {block}; for d_in {d_in} it is a power of two up to {p}")
            shape = (max(1, -(-outputs // p)), 4, p // block, block, block)
        self.weight = torch.nn.Parameter(torch.empty(shape))
        self.bias = torch.nn.Parameter(torch.empty(outputs))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """See LookupFFN.reset_parameters."""
        torch.nn.init.zeros_(self.bias)
        if self.weight.dim() == 2:
            torch.nn.init.normal_(self.weight, std=1 / math.sqrt(self.d_in))
            return
        block = self.weight.shape[-1]
        p = self.weight.shape[2] * block
        blocks = torch.randn(self.weight.numel() // block**2, block, block)
        orthogonal, triangular = torch.linalg.qr(blocks)
        # With the signs of the triangle's diagonal, orthogonal matrices are uniformly distributed (Mezzadri 2007).
        orthogonal = orthogonal * torch.diagonal(triangular, dim1=1, dim2=2).sign().unsqueeze(1)
        self.weight.copy_(orthogonal.reshape(self.weight.shape) / math.sqrt(p))
        # d_in of p values are not 0, and what decay leaves of h counts too.
        wanted = 1 - (1 - self.decay) ** 2 * self.d_in / p
        self.weight[:, -1] *= math.sqrt(wanted * p / self.d_in) / self.decay if self.decay > 0 else 1.0


class Hash(torch.nn.Module):
    """Holds `projection`, for the published names of the parameters."""

    def __init__(self, projection: Projection) -> None:
        super().__init__()
        self.projection = projection


def initial_std(layer: LookupFFN) -> float:
    """The standard deviation of a new layer's tables."""
    tables, rows, _ = layer.tables.shape
    return layer.output_std / math.sqrt(tables * _mean_square_score(rows.bit_length() - 1))


_keeps_postponed = [False]


@contextlib.contextmanager
def tables_as_they_are() -> Iterator[None]:
    """In its block a state_dict has tables without the weight decay that RowAdam has postponed, which the optimiser's own state
    then says. So saving a state does not change a bit of what follows."""
    _keeps_postponed[0] = True
    try:
        yield
    finally:
        _keeps_postponed[0] = False


class LookupFFN(torch.nn.Module):
    """A LookupFFN layer (https://arxiv.org/abs/2403.07221), in place of a transformer's feed-forward module:

        h     = LayerNorm(x);  z = projection(h)                       [tables, bits]
        code  = the signs of z, score = sum |z| / prod(1 + exp(-2 |z|))   a table each
        y     = bias + sum over tables of score * tables[t, code[t], :]

    x is float32 [..., d_in] on the CPU, y is [..., d_out]. The layer has its LayerNorm inside: do not put another before it.
    It also takes bfloat16 and float16, computes in float32, and gives back the dtype that it took. A layer that was converted,
    as by .double(), takes its own dtype and computes by plain torch operations.

    Its state_dict has the published names (LayerNorm.weight, LayerNorm.bias, hash.projection.weight, hash.projection.bias,
    tables, bias) and is a model file's content, with all weight decay that RowAdam has postponed. `decay` and `layer_norm_eps`
    are not in it: who makes the layer gives them again. nn.save writes them, nn.load and from_file read them.

    In train() it runs the library's training kernels, in eval() the packed ones, whose results are the same except for
    rounding. Both are differentiable, with codes held fixed. eval() packs the weights at the first forward and again after they
    have changed, or the mode. Changes of `parameter.data` in eval() are not seen: call lookupffn.ops.forget() after them.

    Args:
        d_in, d_out: floats of a row of x and of y
        tables, bits: how many tables, of 2^bits rows each; bits is at most 16
        projection: "bh4" or "dense"
        block: BH4's edge of a block, a power of two; None: 64, or less if d_in is small
        decay: BH4's weight of the projected values, from 0 to 1; None: 0.7. layer_norm_eps: what LayerNorm adds to the variance
        sparse: in train(), the gradient of the tables is a sparse tensor with the rows that at least one token picked, for
            lookupffn.optim.RowAdam; under torch.compile it is dense all the same
        isa, table_type, projection_type: how eval() packs; see lookupffn.Model.pack
        output_std: see reset_parameters
    """

    def __init__(
        self,
        d_in: int,
        d_out: int,
        tables: int,
        bits: int,
        projection: str = "bh4",
        block: int | None = None,
        *,
        decay: float | None = None,
        layer_norm_eps: float = LAYER_NORM_EPS,
        sparse: bool = False,
        isa: str | None = None,
        table_type: str = "f32",
        projection_type: str = "f32",
        output_std: float = 0.2,
    ) -> None:
        super().__init__()
        for name, value in (("d_in", d_in), ("d_out", d_out), ("tables", tables), ("bits", bits)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it is at least 1")
        if bits > MOST_BITS:
            raise ValueError(f"bits is {bits}; it is at most {MOST_BITS}")
        if not 0 < layer_norm_eps < math.inf:
            raise ValueError(f"layer_norm_eps is {layer_norm_eps}; it is more than 0")
        if projection not in ("bh4", "dense"):
            raise ValueError(f"projection is {projection!r}; it is 'bh4' or 'dense'")
        if projection == "dense":
            if block is not None:
                raise ValueError("a dense projection has no block")
            if decay is not None:
                raise ValueError("a dense projection has no decay")
            decay = 1.0
        elif block is None:
            block = min(64, 1 << (d_in - 1).bit_length())
        if decay is None:
            decay = DECAY
        if not 0 <= decay <= 1:
            raise ValueError(f"decay is {decay}; it is from 0 to 1")
        self.decay, self.layer_norm_eps = float(decay), float(layer_norm_eps)
        self.sparse, self.output_std = sparse, output_std
        self.isa, self.table_type, self.projection_type = isa, table_type, projection_type
        self.LayerNorm = torch.nn.LayerNorm(d_in, eps=layer_norm_eps)
        self.hash = Hash(Projection(d_in, tables * bits, block, self.decay))
        self.tables = torch.nn.Parameter(torch.empty(tables, 1 << bits, d_out))
        self.bias = torch.nn.Parameter(torch.empty(d_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """New weights with which training is stable.

        LayerNorm is the identity. z has variance 1: a dense weight is N(0, 1 / d_in); the blocks of BH4 are random orthogonal
        matrices, which together with the Hadamard transforms keep lengths, so that gradients neither grow nor vanish on their
        way through the four products. Tables are normal, with the standard deviation that gives y the standard deviation
        `output_std`. The bias is 0.
        """
        self.LayerNorm.reset_parameters()
        self.hash.projection.reset_parameters()
        torch.nn.init.normal_(self.tables, std=initial_std(self))
        torch.nn.init.zeros_(self.bias)

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The parameters in the order in which the operators take them."""
        projection = self.hash.projection
        return self.LayerNorm.weight, self.LayerNorm.bias, projection.weight, projection.bias, self.tables, self.bias

    def forward(self, x: Tensor) -> Tensor:
        """y = layer(x); x [..., d_in], y [..., d_out]."""
        own = self.tables.dtype
        if x.dtype != own and own == torch.float32 and x.dtype in (torch.bfloat16, torch.float16):
            return self.forward(x.float()).to(x.dtype)
        sparse = self.sparse and not _is_compiling()
        if self.training:
            if sparse:
                return ops.train_sparse(x, *self.weights, self.decay, self.layer_norm_eps)
            return torch.ops.lookupffn.train(x, *self.weights, self.decay, self.layer_norm_eps)[0]
        if sparse:
            catch_up(self.tables)
        if x.dtype == own != torch.float32:  # packed kernels take float32
            return torch.ops.lookupffn.train(x, *self.weights, self.decay, self.layer_norm_eps)[0]
        options = (self.isa or "", self.table_type, self.projection_type)
        return torch.ops.lookupffn.forward(x, *self.weights, self.decay, self.layer_norm_eps, *options)

    def train(self, mode: bool = True) -> LookupFFN:
        """As for any module. A change of the mode lets eval() pack again."""
        if mode != self.training:
            packing.forget_layer(self.tables)
        return super().train(mode)

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:
        if not _keeps_postponed[0]:
            catch_up(self.tables)
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def extra_repr(self) -> str:
        tables, rows, d_out = self.tables.shape
        weight = self.hash.projection.weight
        kind = "dense" if weight.dim() == 2 else f"bh4 with blocks of {weight.shape[-1]}"
        return f"{self.hash.projection.d_in}, {d_out}, {tables} tables of {rows} rows, {kind}, decay={self.decay:g}"

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], prefix: str = "", metadata: Mapping[str, str] | None = None, **options):
        """A layer with the weights of a state_dict or model file.

        tensors: name -> torch tensor or NumPy array; those whose names are `prefix` and a published name are used, as float32.
        metadata: a model file's, for decay and layer_norm_eps.
        options: sparse, isa, table_type, projection_type.

        Raises KeyError that names a tensor which is missing, ValueError for shapes that do not fit each other.
        """
        for name in NAMES:
            if prefix + name not in tensors:
                raise KeyError(f"there is no tensor '{prefix + name}'")
        found = {name: torch.as_tensor(tensors[prefix + name]).detach().float() for name in NAMES}
        if found["tables"].dim() != 3:
            raise ValueError(f"'{prefix}tables' has shape {list(found['tables'].shape)}; it takes [tables, rows, d_out]")
        tables, rows, d_out = found["tables"].shape
        if rows < 2 or rows & (rows - 1):
            raise ValueError(f"'{prefix}tables' has {rows} rows a table; it takes a power of two")
        weight = found["hash.projection.weight"]
        metadata = metadata or {}
        layer = cls(
            len(found["LayerNorm.weight"]),
            d_out,
            tables,
            rows.bit_length() - 1,
            "dense" if weight.dim() == 2 else "bh4",
            None if weight.dim() == 2 else weight.shape[-1],
            decay=None if weight.dim() == 2 else float(metadata.get("decay", DECAY)),
            layer_norm_eps=float(metadata.get("layer_norm_eps", LAYER_NORM_EPS)),
            **options,
        )
        for name, parameter in layer.named_parameters():
            if parameter.shape != found[name].shape:
                shapes = f"{list(found[name].shape)}, expected {list(parameter.shape)}"
                raise ValueError(f"'{prefix}{name}' has shape {shapes}")
        layer.load_state_dict(found)
        return layer


def from_file(path: str | os.PathLike[str], prefix: str = "", **options) -> LookupFFN:
    """The layer of a model file whose tensors' names begin with `prefix`; otherwise as LookupFFN.from_tensors.
    Also raises ValueError if the file is not a safetensors file, and OSError."""
    tensors, metadata = load_torch_file(path)
    return LookupFFN.from_tensors(tensors, prefix, metadata, **options)


def parameter_groups(model: torch.nn.Module, lr: float) -> list[dict[str, Any]]:
    """A model's parameters as groups for an optimiser like Adam, with learning rates that fit the size of projections.

    Adam moves each weight by about the learning rate, whatever its size. BH4 has smaller weights than a dense projection, whose
    weights are about 1 / sqrt(d_in), and several products in a row, so the same rate moves it more. Its rate is

        lr * rms(weight) * sqrt(d_in) / products          products: 4 for BH4, 1 for dense

    with the rms that reset_parameters gives. All other parameters are one group with the rate `lr`.

        optimizer = lookupffn.optim.RowAdam(lookupffn.nn.parameter_groups(model, 2e-3))
    """
    groups: dict[float, list[torch.nn.Parameter]] = {lr: []}
    projections = {id(m.weight): m for m in model.modules() if isinstance(m, Projection)}
    for parameter in model.parameters():
        rate = lr
        if id(parameter) in projections and parameter.dim() != 2:
            d_in, (_, stages, segments, block, _) = projections[id(parameter)].d_in, parameter.shape
            rate = lr * math.sqrt(d_in / (block * segments * block)) / stages
        groups.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items() if parameters]


# ---- files ----


def _constants(model: torch.nn.Module) -> dict[str, str]:
    """decay and layer_norm_eps of the layers, as a file's metadata. Raises ValueError where layers differ in them."""
    layers = {name: module for name, module in model.named_modules() if isinstance(module, LookupFFN)}
    found: dict[str, tuple[float, str]] = {}
    for name, layer in layers.items():
        values = {"layer_norm_eps": layer.layer_norm_eps}
        if layer.hash.projection.weight.dim() != 2:
            values["decay"] = layer.decay
        for constant, value in values.items():
            known, where = found.setdefault(constant, (value, name))
            if known != value:
                raise ValueError(
                    f"the layers '{where}' and '{name}' have {constant} {known:g} and {value:g}, of which a file holds one: save"
                    " them to files of their own"
                )
    return {constant: repr(value) for constant, (value, _) in found.items()}


def save(model: torch.nn.Module, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
    """Writes a model's state_dict, with decay and layer_norm_eps of its LookupFFN layers in the metadata, as a safetensors file
    that the library's Model reads. If this fails, nothing is written.

    metadata: more texts to write. Raises ValueError if layers differ in decay or layer_norm_eps, TypeError for tensors that a
    file cannot hold, OSError.
    """
    save_file(path, model.state_dict(), {**(metadata or {}), **_constants(model)})


def load(model: torch.nn.Module, path: str | os.PathLike[str], strict: bool = True) -> dict[str, str]:
    """Loads a file that save() wrote into a model of the same structure, by load_state_dict(strict). Returns the file's
    metadata. Raises ValueError if the file's decay or layer_norm_eps is not that of the model's layers, and what
    load_state_dict raises."""
    tensors, metadata = load_torch_file(path)
    for constant, value in _constants(model).items():
        default = DECAY if constant == "decay" else LAYER_NORM_EPS
        if float(metadata.get(constant, default)) != float(value):
            raise ValueError(f"{os.fspath(path)}: its {constant} is {metadata.get(constant, default)}, the model's {value}")
    model.load_state_dict(tensors, strict=strict)
    return metadata

"""LookupFFN layers in place of the feed-forward layers of any model."""

from __future__ import annotations

from typing import Any, Callable, Iterable

import torch
from torch import Tensor

from .nn import LookupFFN


def linear_shapes(module: torch.nn.Module) -> list[tuple[int, int]]:
    """(inputs, outputs) of a module's linear layers, in their order."""
    shapes = []
    for part in module.modules():
        weight = getattr(part, "weight", None)
        if isinstance(part, torch.nn.Linear):
            shapes.append((part.in_features, part.out_features))
        elif type(part).__name__ == "Conv1D" and isinstance(weight, Tensor) and weight.dim() == 2:  # transformers' GPT-2
            shapes.append((weight.shape[0], weight.shape[1]))
    return shapes


def _ends_of(shapes: list[tuple[int, int]]) -> tuple[int, int]:
    """d_in and d_out of a part with these linear layers. One of them leads back from where all others lead to, wherever it stands:
    gated parts have the second one between the others (w1, w2, w3). Else those of the first and the last."""
    for back in reversed(range(len(shapes))):
        others = shapes[:back] + shapes[back + 1 :]
        if others and all(shape == (others[0][0], shapes[back][0]) for shape in others):
            return others[0][0], shapes[back][1]
    return shapes[0][0], shapes[-1][1]


_TORCH_LAYERS = (torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer)


def feed_forward_ends(model: torch.nn.Module, name: str) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The modules that take a feed-forward part's input and give its output, of a name as replace() takes it. The same module twice
    where the part is a module of its own."""
    modules = dict(model.named_modules(remove_duplicate=False))
    first, _, last = name.partition("+")
    for part in (first, last or first):
        if not part or part not in modules:
            close = ", ".join(repr(known) for known in modules if known)
            raise ValueError(f"the model has no module {part!r}; it has {close[:500]}")
    if not last and isinstance(modules[name], _TORCH_LAYERS):
        return modules[name].linear1, modules[name].linear2
    return modules[first], modules[last or first]


class _Passed(torch.nn.Module):
    """Stands where a part's first linear layer was. What lies between it and the last one gets nothing to do; the new layer, there,
    gets the input from here."""

    def __init__(self) -> None:
        super().__init__()
        self.x: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.new_empty(*x.shape[:-1], 0)


class _Fetch:
    """The new layer's forward_pre_hook. An object, so that a copy of the model has one that knows the copy."""

    def __init__(self, passed: _Passed) -> None:
        self.passed = passed

    def __call__(self, module: torch.nn.Module, inputs: tuple) -> tuple:
        x, self.passed.x = self.passed.x, None
        return inputs if x is None else (x,)  # the layer may be called by itself


def _set(model: torch.nn.Module, name: str, new: torch.nn.Module) -> None:
    """At all places where the model has the module of this name."""
    old = model.get_submodule(name)
    places = [place for place, module in model.named_modules(remove_duplicate=False) if module is old]
    for place in places:
        parent, _, last = place.rpartition(".")
        setattr(model.get_submodule(parent), last, new)


def _put(model: torch.nn.Module, name: str, new: torch.nn.Module) -> None:
    first, _, last = name.partition("+")
    if last:
        passed = _Passed()
        _set(model, first, passed)
        _set(model, last, new)
        new.register_forward_pre_hook(_Fetch(passed))
        return
    old = model.get_submodule(name)
    if not isinstance(old, _TORCH_LAYERS):
        _set(model, name, new)
        return
    # Such a layer computes linear2(dropout(activation(linear1(x)))).
    for part, module in (("linear1", new), ("activation", None), ("dropout", None), ("linear2", None)):
        setattr(old, part, module or torch.nn.Identity())
    pass_by_fused_path(old)


def pass_by_fused_path(module: torch.nn.Module) -> None:
    """Keeps torch's transformer layers, and encoders of them, from evaluating by fused operators, which read the weights of linear1
    and linear2 and call neither."""
    if isinstance(module, _TORCH_LAYERS):
        setattr(module, "activation_relu_or_gelu", 0)
    if isinstance(module, torch.nn.TransformerEncoder):
        for name in ("enable_nested_tensor", "use_nested_tensor"):  # torch 1.13's and torch 2's
            setattr(module, name, False)


def chosen_names(model: torch.nn.Module, which: Iterable[str] | Callable[[str, torch.nn.Module], bool]) -> list[str]:
    """The names of the parts that replace() would replace. Raises ValueError for those that overlap."""
    if callable(which):
        chosen: list[str] = []
        for name, module in model.named_modules():
            if name and not any(_inside(name, outer) for outer in chosen) and which(name, module):
                chosen.append(name)
        return chosen
    chosen = [which] if isinstance(which, str) else list(dict.fromkeys(which))
    modules = dict(model.named_modules(remove_duplicate=False))
    for number, name in enumerate(chosen):
        for other in chosen[:number]:
            for one, two in ((one, two) for one in name.split("+") for two in other.split("+")):
                if one == two or _inside(one, two) or _inside(two, one):
                    raise ValueError(f"{other!r} and {name!r} overlap: replace one of them")
                if one in modules and modules[one] is modules.get(two):
                    raise ValueError(f"{other!r} and {name!r} are the same module, which is replaced at both places: name it once")
    return chosen


def _inside(name: str, outer: str) -> bool:
    return name.startswith(outer + ".")


def _need_no_norm_between(model: torch.nn.Module, name: str) -> None:
    """What lies between two linear layers gets nothing to do: it must have no weights."""
    between = _norm_between(dict(model.named_modules(remove_duplicate=False)), *name.split("+"))
    if between is not None:
        raise ValueError(f"{between!r} works on what is between the two linear layers of {name!r}: name a module around all three")


def _norm_between(modules: dict[str, torch.nn.Module], first: str, last: str) -> str | None:
    """The name of a module with weights for each value between two linear layers, such as a LayerNorm."""
    names = list(modules)
    begin, end = sorted((names.index(first), names.index(last)))
    shapes = linear_shapes(modules[first])
    for name in names[begin + 1 : end]:
        own = modules[name].parameters(recurse=False) if not linear_shapes(modules[name]) else ()
        if shapes and any(tuple(parameter.shape) == (shapes[-1][1],) for parameter in own):
            return name
    return None


def replace(
    model: torch.nn.Module,
    which: Iterable[str] | Callable[[str, torch.nn.Module], bool],
    *,
    make: Callable[[str, torch.nn.Module], torch.nn.Module] | None = None,
    **options: Any,
) -> dict[str, torch.nn.Module]:
    """Puts LookupFFN layers in place of feed-forward modules, within `model`.

    which: the modules' names, as in model.named_modules(); or a function which(name, module) that is true for those to replace.
        Modules inside a replaced module are skipped. In a torch.nn.TransformerEncoderLayer or TransformerDecoderLayer only the
        feed-forward part is replaced; the new layer is its linear1. If a block has two linear layers but no module around them,
        "layer.0.fc1+layer.0.fc2" names its feed-forward part: the new layer takes the place of the second and gets the input of
        the first, and the elementwise operations between them have no effect; a LayerNorm between them is refused. Such a model
        can run one forward at a time only. All that a replaced module computes goes with it: where it adds its own input, or
        normalises its output, name its two linear layers instead.
    options: LookupFFN's arguments: tables=128, bits=8, ... d_in and d_out default to the inputs of the module's first linear
        layer and the outputs of its last.
    make: make(name, module) -> the new module, instead of options.

    A new layer has new weights, its own LayerNorm, and the old module's mode (train or eval). It is float64 where the old module
    is, else float32; then it takes bfloat16 and float16 too, and gives back what it took. A module that the model has under several
    names is replaced at all of them.

    Returns name -> new layer. Raises ValueError for a name that does not exist, for names that overlap, if no module is chosen,
    and for a module without linear layers if d_in and d_out are not given; `model` is then unchanged.

        lookupffn.replace(model, lambda name, module: name.endswith(".mlp"), tables=128, bits=8)
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    chosen = chosen_names(model, which)
    if not chosen:
        raise ValueError(f"none of the model's {len(modules)} modules was chosen")

    new: dict[str, torch.nn.Module] = {}
    for name in chosen:
        ends = feed_forward_ends(model, name)
        if "+" in name:
            _need_no_norm_between(model, name)
        old = modules.get(name, ends[1])
        if make is not None:
            new[name] = make(name, old)
        else:
            sizes = dict(options)
            if "d_in" not in sizes or "d_out" not in sizes:
                found = linear_shapes(torch.nn.ModuleList(ends))
                if not found:
                    raise ValueError(f"module {name!r} ({type(old).__name__}) has no linear layer: say d_in and d_out")
                d_in, d_out = _ends_of(found)
                sizes = {"d_in": d_in, "d_out": d_out, **sizes}
            new[name] = LookupFFN(**sizes)
            if any(parameter.dtype == torch.float64 for parameter in old.parameters()):
                new[name].double()
        new[name].train(old.training)
    for name, module in new.items():
        _put(model, name, module)
    for module in modules.values():
        if isinstance(module, torch.nn.TransformerEncoder) and any(modules.get(name) in module.layers for name in new):
            pass_by_fused_path(module)
    return new


def feed_forward_names(model: torch.nn.Module) -> list[str]:
    """The feed-forward parts of a transformer, as names for replace(): modules whose linear layers lead from d to more than d and
    back to d (a gate beside the first is allowed) and that have no other matrices; torch's transformer layers; and in other modules
    two linear layers, one after the other, of such shapes, without a gate beside them or a norm between them."""
    modules = dict(model.named_modules())
    found: list[str] = []
    before: tuple[str, tuple[int, int]] | None = None  # the last linear layer that is not inside one that was found
    for name, module in modules.items():
        if any(name.startswith(outer + ".") for outer in found):
            continue
        if name and _is_feed_forward(module):
            found.append(name)
            before = None
        elif shapes := _own_linear_shape(module):
            d_in, d_out = shapes
            # Only of the same block: layers.3.fc1 and layers.3.fc2, but not the last of a block and the first of the next.
            if before is not None and before[1] == (d_out, d_in) and d_in > d_out and _is_pair(modules, before[0], name):
                found.append(f"{before[0]}+{name}")
                before = None
            else:
                before = (name, shapes)
    return found


def _own_linear_shape(module: torch.nn.Module) -> tuple[int, int] | None:
    shapes = [] if any(True for _ in module.children()) else linear_shapes(module)
    return shapes[0] if shapes else None


def _same_block(one: str, other: str) -> bool:
    numbers: list[list[str]] = [[part for part in name.split(".") if part.isdigit()] for name in (one, other)]
    return numbers[0] == numbers[1]


def _is_pair(modules: dict[str, torch.nn.Module], first: str, last: str) -> bool:
    """Whether two linear layers of a block, from d to more and back, are all of a feed-forward part: with a gate beside them, or a
    norm between them, they are not."""
    if not _same_block(first, last):
        return False
    d_in, d_out = linear_shapes(modules[last])[0]
    parents = {name.rpartition(".")[0] for name in (first, last)}
    beside = [_own_linear_shape(module) for name, module in modules.items() if name and name.rpartition(".")[0] in parents]
    return sum(shape in ((d_in, d_out), (d_out, d_in)) for shape in beside) == 2 and _norm_between(modules, first, last) is None


def _is_feed_forward(module: torch.nn.Module) -> bool:
    if isinstance(module, _TORCH_LAYERS):
        return True
    linear = linear_shapes(module)
    if not 2 <= len(linear) <= 3:
        return False
    (d_in, d_out), hidden = _ends_of(linear), max(linear[0])
    expected = [(d_out, hidden)] * (len(linear) - 1) + [(hidden, d_out)]
    if d_in != d_out or hidden <= d_out or sorted(linear) != sorted(expected):
        return False
    weights = sum(inputs * outputs for inputs, outputs in linear)
    return weights == sum(parameter.numel() for parameter in module.parameters() if parameter.dim() > 1)

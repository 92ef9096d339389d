"""An optimiser for tables: it touches only the rows that a step picked."""

from __future__ import annotations

import contextlib
import functools
import math
import weakref
from typing import Any, Callable, ContextManager, Iterable, Iterator

import torch
from torch import Tensor

from .library import RowAdam as RowAdamOfRows
from .library import c, check
from .system import Threads

# Parameters whose rows may be behind with their decay, or are updated in the backward: id -> (parameter, its RowAdam).
_kept: dict[int, tuple[weakref.ref, weakref.ref]] = {}

_FLOATS_AT_A_TIME = 1 << 16


def _optimizer_of(parameter: Tensor) -> RowAdam | None:
    found = _kept.get(id(parameter))
    return found[1]() if found is not None and found[0]() is parameter else None


def catch_up(parameter: Tensor, rows: Tensor | Callable[[], Tensor] | None = None) -> None:
    """Applies the weight decay that RowAdam has postponed for rows of a parameter, before they are read. Does nothing for other
    parameters.

    rows: int64 numbers of rows, counted through all dimensions but the last, or a function that returns them; None: all rows.
    """
    optimizer = _optimizer_of(parameter)
    if optimizer is not None and optimizer._owes(parameter):
        optimizer._catch_up_rows(parameter, rows() if callable(rows) else rows)


def updater(parameter: Tensor) -> Callable[[int], ContextManager[RowAdamOfRows]] | None:
    """None unless `parameter` belongs to a RowAdam(..., in_backward=True). Then a function for the backward that updates it:

        with update(count) as step:     # begins a step of this parameter; `step` is what the C API takes
            ...                         # the caller updates `count` rows with it
    """
    optimizer = _optimizer_of(parameter)
    if optimizer is None or not optimizer.in_backward:
        return None
    return functools.partial(optimizer._update_in_backward, parameter)


@functools.lru_cache(maxsize=8)
def _threads_of(count: int) -> Threads:
    return Threads(count)


class RowAdam(torch.optim.Optimizer):
    """AdamW for parameters with sparse gradients, such as the tables of lookupffn.nn.LookupFFN(..., sparse=True). A step reads
    and writes the rows of the gradient and their state, and nothing of the other rows. Parameters with dense gradients get
    torch.optim.AdamW's step.

    A row is what a gradient's sparse dimensions name. Each row is updated as if torch.optim.AdamW ran on this row alone, in the
    steps whose sparse gradient holds it. Moments and bias correction count only these steps, so a row that is seldom picked
    gets full steps: old momentum does not move it in between, and its bias correction fits the age of its moments. Weight decay
    counts all steps: the decay of the steps in between is applied as one factor before the row is read again. LookupFFN does so
    in its forward and in its state_dict. Other readers must call catch_up(), and readers of whole tensors flush().

    A copy or a pickle is of the parameters that are copied along: copy.deepcopy((model, optimizer)).

    params: parameters or groups, as for any optimiser
    lr, betas, eps, weight_decay: as torch.optim.AdamW's; each group may have its own
    in_backward: the tables of a LookupFFN layer with sparse=True are updated in the backward, row by row while their gradient is
        in the cache, which saves most of a step's memory traffic. Their `.grad` is then None, so nothing can read it, clip it
        or add to it. Each backward is one step for these tables, at the learning rate that their group has at that moment; also
        one for torch.autograd.grad(), where it goes through such a layer with tables that need a gradient.

    Raises ValueError for values out of range.
    """

    rows_touched: int
    """Rows that the last step read and wrote, in parameters with sparse gradients."""
    bytes_touched: int
    """Bytes of parameters, gradients and state that it read and wrote for these rows."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        in_backward: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.rows_touched = self.bytes_touched = 0
        self.in_backward = in_backward
        self._touched_in_backward = (0, 0)
        self._register_all()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As for any optimiser. Raises ValueError for values out of range."""
        given = {**self.defaults, **param_group}
        for name in ("lr", "eps", "weight_decay"):
            if not given[name] >= 0:
                raise ValueError(f"{name} is {given[name]}; it is 0 or more")
        if not all(0 <= beta < 1 for beta in given["betas"]):
            raise ValueError(f"betas are {given['betas']}; each is from 0 to below 1")
        super().add_param_group(param_group)
        if getattr(self, "in_backward", False):
            self._register_all()

    def __getstate__(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("in_backward", "rows_touched", "bytes_touched", "_touched_in_backward")}
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._register_all()

    def _register_all(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if self.in_backward or "row_steps" in self.state.get(parameter, {}):
                    self._register(parameter)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets gradients to None, as torch 2 does; torch 1.13 would keep them as zeros and add the next ones to them."""
        super().zero_grad(set_to_none)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one step. Returns what `closure` returned, if it was given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.rows_touched, self.bytes_touched = self._touched_in_backward
        self._touched_in_backward = (0, 0)
        for group in self.param_groups:
            _need_rest(group)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.grad.is_sparse or "row_steps" in self.state[parameter]:
                    self._step_rows(parameter, group)
                else:
                    self._step_dense(parameter, group)
        return loss

    @torch.no_grad()
    def flush(self) -> None:
        """Applies all postponed weight decay. Call it before whole tables are saved, or read by anything but LookupFFN."""
        for parameter, state in self.state.items():
            if "row_steps" in state:
                self._catch_up_rows(parameter, None)

    # ---- rows ----

    def _step_rows(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, given = self.state[parameter], parameter.grad
        assert given is not None
        rows, gradient = _rows_of(given)
        width = gradient.shape[1]
        if given.dtype != parameter.dtype:
            raise ValueError("RowAdam takes gradients of their parameter's dtype")
        self._begin(parameter, group, width)
        self.rows_touched += len(rows)
        self.bytes_touched += len(rows) * self._bytes_of_row(parameter, width, 1)
        if parameter.dtype == torch.float32:
            values, threads = gradient.contiguous(), _threads_of(torch.get_num_threads())
            step = self._step_of_rows(parameter, group)
            check(c.lookupffn_row_adam_step(step, threads._handle, rows.data_ptr(), values.data_ptr(), len(rows)))
            _count_change(parameter)
            return

        # Some rows at a time, so that what is made of them on the way stays in the caches.
        for begin in range(0, len(rows), max(1, _FLOATS_AT_A_TIME // width)):
            here = slice(begin, begin + max(1, _FLOATS_AT_A_TIME // width))
            self._update_rows(parameter.view(-1, width), state, group, rows[here], gradient[here])

    @staticmethod
    def _bytes_of_row(parameter: Tensor, width: int, gradients: int) -> int:
        # The row and its two moments are read and written, the gradient is read; so are the row's counts.
        return (6 + gradients) * width * parameter.element_size() + 2 * (4 + 8)

    def _begin(self, parameter: Tensor, group: dict[str, Any], width: int) -> None:
        """Begins a step of a parameter's rows."""
        _need_rest(group)
        state = self.state[parameter]
        if "row_steps" not in state:
            if not parameter.is_contiguous() or parameter.device.type != "cpu":
                raise ValueError("RowAdam takes contiguous parameters on the CPU")
            count = parameter.numel() // width
            state["row_steps"] = torch.zeros(count, dtype=torch.int32, device="cpu")
            state["log_decay"] = 0.0  # log of the product of all steps' 1 - lr weight_decay
            state["row_log_decay"] = torch.zeros(count, dtype=torch.float64, device="cpu")  # of which a row has had this
            state["up_to_date"] = 0.0  # what all rows have had
            state["exp_avg"] = torch.zeros(count, width, dtype=parameter.dtype, device="cpu")
            state["exp_avg_sq"] = torch.zeros(count, width, dtype=parameter.dtype, device="cpu")
            self._register(parameter)
        state["log_decay"] += math.log1p(-group["lr"] * group["weight_decay"])

    def _step_of_rows(self, parameter: Tensor, group: dict[str, Any]) -> RowAdamOfRows:
        """The C API's view of a step that has begun."""
        state = self.state[parameter]
        count, width = state["exp_avg"].shape
        named = [parameter, *(state[name] for name in ("exp_avg", "exp_avg_sq", "row_steps", "row_log_decay"))]
        pointers = [tensor.data_ptr() for tensor in named]
        return RowAdamOfRows(*pointers, count, width, group["lr"], *group["betas"], group["eps"], state["log_decay"])

    @contextlib.contextmanager
    def _update_in_backward(self, parameter: Tensor, rows: int) -> Iterator[RowAdamOfRows]:
        (group,) = (one for one in self.param_groups if any(parameter is other for other in one["params"]))
        width = parameter.shape[-1]
        self._begin(parameter, group, width)
        yield self._step_of_rows(parameter, group)
        _count_change(parameter)
        touched, size = self._touched_in_backward
        self._touched_in_backward = (touched + rows, size + rows * self._bytes_of_row(parameter, width, 0))

    def _update_rows(self, flat: Tensor, state: dict[str, Any], group: dict[str, Any], rows: Tensor, gradient: Tensor) -> None:
        beta1, beta2 = group["betas"]
        steps = state["row_steps"][rows] + 1
        mean = state["exp_avg"][rows].mul_(beta1).add_(gradient, alpha=1 - beta1)
        square = state["exp_avg_sq"][rows].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        state["row_steps"][rows] = steps
        state["exp_avg"][rows] = mean
        state["exp_avg_sq"][rows] = square

        counted = steps.to(torch.float64)
        size = group["lr"] / (1 - beta1**counted)
        deviation = square.sqrt_().div_((1 - beta2**counted).sqrt_().to(square.dtype).unsqueeze(1)).add_(group["eps"])
        values = flat[rows] * self._owed(state, rows).to(flat.dtype).unsqueeze(1)
        state["row_log_decay"][rows] = state["log_decay"]
        flat[rows] = values.sub_(mean.div_(deviation).mul_(size.to(mean.dtype).unsqueeze(1)))

    @staticmethod
    def _owed(state: dict[str, Any], rows: Tensor) -> Tensor:
        """The factors of decay that rows have not had yet."""
        return torch.exp(state["log_decay"] - state["row_log_decay"][rows])

    def _owes(self, parameter: Tensor) -> bool:
        state = self.state.get(parameter, {})
        return "row_steps" in state and state["up_to_date"] != state["log_decay"]

    @torch.no_grad()
    def _catch_up_rows(self, parameter: Tensor, rows: Tensor | None) -> None:
        state = self.state[parameter]
        if not self._owes(parameter):
            return
        width = state["exp_avg"].shape[1]
        if rows is None:
            owed = torch.exp(state["log_decay"] - state["row_log_decay"])
            parameter.view(-1, width).mul_(owed.to(parameter.dtype).unsqueeze(1))
            state["row_log_decay"].fill_(state["log_decay"])
            state["up_to_date"] = state["log_decay"]
            return
        late = torch.unique(rows[state["row_log_decay"][rows] != state["log_decay"]])
        # By .data, so that torch does not count a change: packed weights stay valid, as eval() had caught up all rows before.
        flat = parameter.data.view(-1, width)
        flat[late] = flat[late] * self._owed(state, late).to(flat.dtype).unsqueeze(1)
        state["row_log_decay"][late] = state["log_decay"]

    def _register(self, parameter: Tensor) -> None:
        key = id(parameter)
        _kept[key] = (weakref.ref(parameter, lambda _: _kept.pop(key, None)), weakref.ref(self))

    # ---- dense parameters ----

    def _step_dense(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        beta1, beta2 = group["betas"]
        state["step"] += 1
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.mul_(beta1).add_(parameter.grad, alpha=1 - beta1)
        square.mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        deviation = square.sqrt().div_(math.sqrt(1 - beta2 ** state["step"])).add_(group["eps"])
        parameter.addcdiv_(mean, deviation, value=-group["lr"] / (1 - beta1 ** state["step"]))

    # ---- state ----

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state of another RowAdam, exactly."""
        super().load_state_dict(state_dict)
        # torch makes all tensors the parameter's dtype; counts and logarithms keep theirs.
        numbers = [number for group in state_dict["param_groups"] for number in group["params"]]
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        for number, parameter in zip(numbers, parameters):
            saved = state_dict["state"].get(number, {})
            if "row_steps" in saved:
                if saved["exp_avg"].numel() != parameter.numel():
                    raise ValueError(
                        f"RowAdam: the state of parameter {number} has {saved['exp_avg'].numel()} elements, the parameter"
                        f" {parameter.numel()}"
                    )
                for name in ("row_steps", "row_log_decay"):
                    self.state[parameter][name] = saved[name].clone()
                self._register(parameter)


def _need_rest(group: dict[str, Any]) -> None:
    if not group["lr"] >= 0:
        raise ValueError(f"lr is {group['lr']}; it is 0 or more")
    if group["lr"] * group["weight_decay"] >= 1:
        raise ValueError(f"lr {group['lr']} times weight_decay {group['weight_decay']} is 1 or more: nothing would stay")


def _count_change(parameter: Tensor) -> None:
    """Tells torch of a change that it has not seen: a parameter's version counts those of its views."""
    with torch.no_grad():
        parameter.view(-1)[:0].zero_()


def _rows_of(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of a gradient's rows, each once and ascending, and the rows [picked, width]."""
    if not gradient.is_sparse:
        values = gradient.reshape(-1, gradient.shape[-1])
        return torch.arange(len(values), device="cpu"), values
    if gradient.dense_dim() != 1:
        raise ValueError(
            f"RowAdam takes sparse gradients of rows, with one dense dimension; this one of shape {list(gradient.shape)} has"
            f" {gradient.dense_dim()}"
        )
    rows = _numbers(gradient)
    if not bool((rows.diff() > 0).all()):
        gradient = gradient.coalesce()
        rows = _numbers(gradient)
    return rows, gradient._values()


def _numbers(gradient: Tensor) -> Tensor:
    rows = torch.zeros(gradient._nnz(), dtype=torch.int64, device="cpu")
    for index, extent in zip(gradient._indices(), gradient.shape):
        rows = rows * extent + index
    return rows

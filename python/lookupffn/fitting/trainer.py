"""The way from a trained model to one with LookupFFN layers: start, distil, fine-tune."""

from __future__ import annotations

import copy
import functools
import hashlib
import math
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..nn import LookupFFN, initial_std, load, parameter_groups, save, tables_as_they_are
from ..optim import RowAdam
from ..replacement import chosen_names, feed_forward_names, pass_by_fused_path, replace
from .activations import captured
from .clock import Clock
from .curves import write_curves
from .journal import Journal
from .start import revive, start_from, used_rows, variance_of


class FitError(RuntimeError):
    """A fit cannot go on. The folder holds the last good state; `str()` says what happened and what to do."""


@dataclass(frozen=True)
class FitResult:
    """The result of a fit."""

    dense_loss: float | None
    """Mean loss of the model as it was, over the evaluation batches; None: there are none, or it was untrained."""
    loss: float | None
    """The fitted model's loss over the evaluation batches, on packed kernels."""
    rows_used: dict[str, float]
    """name -> share of a layer's rows that are picked by `capture_tokens` tokens."""
    path: str
    """The model file."""


BETAS = (0.9, 0.99)
"""RowAdam's: a row is in few of the steps, so its second moment has to settle in a hundred."""


class _Fit:
    """The state of a fit, which a checkpoint holds, and its steps."""

    def __init__(self, model, teacher, layers, batches, forward, loss, evaluation, options, journal, report) -> None:
        self.model, self.teacher, self.layers = model, teacher, layers
        self.batches, self.forward, self.loss, self.evaluation = batches, forward, loss, evaluation
        self.options, self.journal, self.report = options, journal, report
        self.stage, self.step = ("start" if teacher is not None else "tune"), 0
        self.stage_began = 0.0  # what the clock of the budget said
        self.evaluated = 0  # how many of the evaluations of this stage are done
        self.sizes: dict[str, float] = {}  # root mean square of the layers' tables before any step
        self.best = math.inf  # the lowest evaluation loss of the fine-tuning: model_path has the weights
        self.model_path = os.path.join(journal.folder, "model.safetensors")
        self.clock = Clock()
        self.optimizer: RowAdam | None = None
        self.stopping = threading.Event()
        self.saved = time.monotonic()
        self.after_evaluation: Callable[[], None] = lambda: None
        self.dense = None if teacher is None else digest(teacher)
        self._captured: dict[str, tuple[Tensor, Tensor]] | None = None
        self._variances: dict[str, float] = {}

    stages = ("start", "distil", "tune", "done")

    def run(self) -> None:
        while self.stage != "done":
            if self.stage == "start":
                self.start()
            else:
                self.steps(self.distil if self.stage == "distil" else self.tune)
            self.evaluate()
            following = self.stages[self.stages.index(self.stage) + 1]
            self.stage = following
            if following != "done":  # from there load() may go on tuning
                self.step, self.optimizer, self.evaluated = 0, None, 0
                self.stage_began = self.spent()
            if following == "tune":
                self._captured = None
            self.save()

    def activations(self) -> dict[str, tuple[Tensor, Tensor]]:
        if self._captured is None:
            self._captured = self.capture(self.teacher, 0, self.options["capture_tokens"])
        return self._captured

    def variance(self, name: str) -> float:
        """That of a dense layer's outputs, per element; a little more than 0 where they are constant."""
        if not self._variances:
            self._variances = {name: variance_of(y) for name, (_, y) in self.activations().items()}
        return self._variances[name]

    def capture(self, model: torch.nn.Module, first: int, tokens: int) -> dict[str, tuple[Tensor, Tensor]]:
        """name -> inputs and outputs of a model's feed-forward layers, dense or new, in the batches from number `first` on."""
        return captured(model, self.layers, lambda number: self.forward(model, self.batches(first + number)), tokens)

    # ---- time ----

    def spent(self) -> float:
        """Seconds, of the kind that the budget is in."""
        return self.clock.seconds if self.options["cpu_minutes"] is None else self.clock.cpu_seconds

    def progress(self) -> float:
        """How much of the stage is done, from 0 to 1."""
        return min(max(self._progress(), 0.0), 1.0)

    def _progress(self) -> float:
        for entry in self.journal.replayed:  # the next step is done again as it was
            if "share" in entry:
                return entry["share"] if (entry["stage"], entry["step"]) == (self.stage, self.step + 1) else 1.0
        part = self.options["distil_part"]
        if self.options["steps"] is not None:
            count = round(self.options["steps"] * (part if self.stage == "distil" else 1 if self.teacher is None else 1 - part))
            return self.step / count if count else 1.0
        whole = 60 * (self.options["cpu_minutes"] or self.options["minutes"]) - self.stage_began
        length = whole * (part if self.stage == "distil" else 1.0)
        return (self.spent() - self.stage_began) / length if length > 0 else 1.0

    # ---- stages ----

    def start(self) -> None:
        self.need_data()
        for number, (name, (x, y)) in enumerate(self.activations().items()):
            left = start_from(self.layers[name], x, y)
            line = f"start {name}, {number + 1} of {len(self.layers)} layers: {100 * left:.1f} % of the variance is left"
            if not left < MUCH_LEFT:
                line += "; this is much. If the module adds its own input, or normalises its output, name its linear layers only"
            self.log({"left": left}, line, layer=name)
            if self.stopping.is_set():
                raise KeyboardInterrupt  # there is no checkpoint yet, and little to do again

    def need_data(self) -> None:
        """Tells of layers whose captured inputs are mostly the same ones; raises ValueError where all layers are such."""
        needed = 4 << self.options["bits"]
        few = {}
        for name, (x, _) in self.activations().items():
            distinct = len({hash(row.tobytes()) for row in x.numpy()})
            if distinct < needed:
                few[name] = distinct
                self.report(f"{name} gets {distinct} different inputs in {len(x)} tokens; {needed} or more are needed to learn well")
        if len(few) == len(self.layers):
            raise ValueError(
                f"too little data: the layers get {max(few.values())} different inputs at most, for {1 << self.options['bits']} rows"
                f" a table; give batches that differ, {needed} tokens or more, or fewer bits"
            )

    def groups(self) -> list[dict[str, Any]]:
        """What the stage's optimiser trains, with their learning rates."""
        if self.stage == "tune":
            trained, lr = self.model, self.options["lr"]
        else:
            trained, lr = torch.nn.ModuleList(self.layers.values()), self.options["distil_lr"]
        groups = parameter_groups(trained, lr)
        if self.teacher is None:
            return groups  # tables that have learnt nothing yet have no size to go by
        tables = {id(layer.tables) for layer in self.layers.values()}
        for group in groups:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in tables]
        if not self.sizes:
            # The tables of a layer whose outputs are constant are 0, and have to learn all the same.
            self.sizes = {
                name: max(float(layer.tables.detach().square().mean().sqrt()), 0.01 * initial_std(layer))
                for name, layer in self.layers.items()
            }
        for name, layer in self.layers.items():
            groups.append({"params": [layer.tables], "lr": self.options["tables_lr"] * self.sizes[name]})
        return [group for group in groups if group["params"]]

    def steps(self, one: Callable[[int], dict[str, float]]) -> None:
        """The rest of a stage's steps, with the learning rate warmed up by some steps and let down to 1 % as the stage goes by."""
        groups = self.groups()
        rates = [group["lr"] for group in groups]
        if self.optimizer is None:
            self.optimizer = RowAdam(groups, betas=BETAS, weight_decay=self.options["weight_decay"])
        reported = time.monotonic()
        share = self.progress()
        while share < 1:
            factor = max(0.01, 1 - share) * min(1, (self.step + 1) / self.options["warm_up"])
            for group, rate in zip(self.optimizer.param_groups, rates):
                group["lr"] = rate * factor
            self.optimizer.zero_grad()
            seed_step(self.options["seed"], self.stage, self.step)
            try:
                result = one(self.step)
            except FitError:
                raise
            except BaseException:
                if self.step:  # else there is a checkpoint, or nothing to save
                    self.save()
                raise
            self.optimizer.step()
            self.step += 1
            self.log({**result, "share": share}, None)
            share = self.progress()
            if time.monotonic() - reported > self.options["report_seconds"] or share >= 1:
                reported = time.monotonic()
                left = (self.spent() - self.stage_began) * (1 - share) / max(share, 1e-9)
                text = ", ".join(f"{name} {value:.4f}" for name, value in result.items())
                done = f"{self.stage}, step {self.step}, {100 * min(share, 1):.0f} %"
                cpu = " of CPU time" if self.options["cpu_minutes"] is not None else ""
                self.report(f"{done}: {text}; {_time(max(left, 0.0))}{cpu} left of this stage")
            due = int(share * self.options["evaluations"])
            if self.stage == "tune" and share < 1 and due > self.evaluated:
                self.evaluated = due
                self.evaluate()
            if self.stopping.is_set() or time.monotonic() - self.saved > self.options["checkpoint_seconds"]:
                self.save()
            if self.stopping.is_set():
                raise KeyboardInterrupt
        self.optimizer.flush()

    def distil(self, step: int) -> dict[str, float]:
        """All layers learn from a batch of their own: tokens that are seen again and again would be learnt by heart."""
        if step and step % self.options["revive_every"] == 0:
            assert self.optimizer is not None
            self.optimizer.flush()
            for name, (x, _) in self.activations().items():
                revive(self.layers[name], x)
        offs = []
        for name, (x, y) in self.capture(self.teacher, step, 1).items():
            offs.append((self.layers[name](x) - y).square().mean() / self.variance(name))
        total = torch.stack(offs).sum()
        self.need_finite("loss", total)
        total.backward()
        return {"left": float(total.detach()) / len(offs)}

    def tune(self, step: int) -> dict[str, float]:
        batch = self.batches(step)
        logits = self.forward(self.model, batch)
        own = self.loss(logits, batch)
        result, total = {"loss": float(own.detach())}, own
        if self.teacher is not None:
            with torch.no_grad():
                wanted = self.forward(self.teacher, batch).flatten(0, -2).log_softmax(-1)
            apart = F.kl_div(logits.flatten(0, -2).log_softmax(-1), wanted, log_target=True, reduction="batchmean")
            share = self.options["distil_share"]
            total = (1 - share) * own + share * apart
            result["apart"] = float(apart.detach())
        self.need_finite("loss", total)
        total.backward()
        dense = [p for p in self.model.parameters() if p.grad is not None and not p.grad.is_sparse]
        self.need_finite("gradient", torch.nn.utils.clip_grad_norm_(dense, 1.0))
        return result

    def need_finite(self, what: str, value: Tensor) -> None:
        if math.isfinite(float(value.detach())):
            return
        if self.step and all(bool(torch.isfinite(parameter).all()) for parameter in self.model.parameters()):
            self.save()  # this step has changed nothing yet
        evaluating = what == "evaluation loss"
        happened = f"{self.stage}, step {self.step if evaluating else self.step + 1}: the {what} is {float(value.detach())}"
        look = "look at the evaluation batches" if evaluating else f"look at batch {self.step}"
        if self.stage == "start":
            raise FitError(f"{happened}, of the model with the layers that least squares made: {look}, and at loss()")
        rate = "distil_lr" if self.stage == "distil" else "lr"
        smaller = f"a smaller {rate} (it is {self.options[rate]:g})"
        if not os.path.exists(self.journal.checkpoint_path):
            raise FitError(f"{happened}, before there was a checkpoint: {look}, or take {smaller}")
        kept = f"the last good state is in {self.journal.folder}"
        raise FitError(f"{happened}; {kept}: {look}, or resume from there with {smaller}")

    def evaluate(self) -> None:
        """Logs the loss over the evaluation batches, on packed kernels. Where the log has it already, it is not measured again."""
        if not self.evaluation:
            return
        if self.journal.replayed:
            entry = self.journal.replayed[0]
            if "evaluation" in entry and (entry["stage"], entry["step"]) == (self.stage, self.step):
                self.log({"evaluation": entry["evaluation"]}, None)
                if self.stage == "tune":
                    self.best = min(self.best, entry["evaluation"])
            return
        if self.optimizer is not None:
            self.optimizer.flush()
        loss = evaluated(self.model, self.forward, self.loss, self.evaluation)
        if not math.isfinite(loss):
            self.need_finite("evaluation loss", torch.tensor(loss))
        # The file before the log's line: after a kill between the two, the evaluation is done again and writes the file again.
        if self.stage == "tune" and loss < self.best:
            self.best = loss
            save(self.model, self.model_path)
        self.log({"evaluation": loss}, f"{self.stage}, step {self.step}: evaluation loss {loss:.4f}")
        self.after_evaluation()

    # ---- what is kept ----

    def log(self, entry: dict[str, Any], line: str | None, **more: Any) -> None:
        replayed = self.journal.replayed[:1]
        times = {"seconds": round(self.clock.seconds, 3), "cpu_seconds": round(self.clock.cpu_seconds, 3)}
        self.journal.log({"stage": self.stage, "step": self.step, **times, **more, **entry})
        for former in replayed:
            self.clock.set(former["seconds"], former["cpu_seconds"])
        if line is not None:
            self.report(line)

    def save(self) -> None:
        if self.journal.replayed:
            return  # the checkpoint and the log's lines after it are the state; a checkpoint of now would cut them off
        with tables_as_they_are():
            model = self.model.state_dict()
        self.journal.save(
            {
                "options": self.options,
                "stage": self.stage,
                "step": self.step,
                "seconds": self.clock.seconds,
                "cpu_seconds": self.clock.cpu_seconds,
                "stage_began": self.stage_began,
                "evaluated": self.evaluated,
                "best": self.best,
                "sizes": self.sizes,
                "dense": self.dense,
                "model": model,
                "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            }
        )
        self.saved = time.monotonic()

    def load(self, state: dict[str, Any]) -> None:
        former = state.get("dense")  # None: from scratch, or by a version that kept no digest
        if None not in (former, self.dense) and former != self.dense:
            raise ValueError(
                f"the fit in {self.journal.folder} began with another dense model: give that one, or name another folder"
            )
        kinds = [next(name for name in LIMITS if options.get(name) is not None) for options in (state["options"], self.options)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"the fit in {self.journal.folder} ends by {kinds[0]}, and its learning rate goes by them: resume it with"
                f" {kinds[0]}, not with {kinds[1]}"
            )
        # Of these another value does no harm to what was done.
        free = ("lr", "distil_lr", "tables_lr", "minutes", "cpu_minutes", "checkpoint_seconds", "report_seconds", "evaluations")
        for name, value in self.options.items():
            was = state["options"].get(name)
            if name not in free and was != value:
                raise ValueError(
                    f"the fit in {self.journal.folder} has {name} = {was!r}, not {value!r}: resume it with what it has"
                )
        # model.safetensors has the weights of the best evaluation in the log. Where other learning rates cut the log off, it still
        # has them: only a better evaluation is to replace it.
        tuned = [entry["evaluation"] for entry in self.journal.replayed if entry["stage"] == "tune" and "evaluation" in entry]
        if any(state["options"].get(name) != self.options[name] for name in ("lr", "distil_lr", "tables_lr")):
            self.journal.drop_replayed()
        self.stage, self.step, self.stage_began = state["stage"], state["step"], state["stage_began"]
        self.evaluated, self.best, self.sizes = state["evaluated"], min([state["best"], *tuned]), state["sizes"]
        self.clock.set(state["seconds"], state["cpu_seconds"])
        if self.stage == "done" and state["optimizer"] is not None and self.options[kinds[0]] > state["options"][kinds[0]]:
            self.stage = "tune"  # with the time that there is more
            length = 60 * self.options[kinds[0]] - self.stage_began
            self.evaluated = int((self.spent() - self.stage_began) / length * self.options["evaluations"]) if length > 0 else 0
        self.model.load_state_dict(state["model"])
        if state["optimizer"] is not None and self.stage != "done":
            self.optimizer = RowAdam(self.groups(), betas=BETAS, weight_decay=self.options["weight_decay"])
            self.optimizer.load_state_dict(state["optimizer"])


LIMITS = ("minutes", "cpu_minutes", "steps")
"""The arguments one of which says when to end."""
MUCH_LEFT = 1 / 3
"""A share of the variance that a start should not leave."""


def seed_step(seed: int, stage: str, step: int) -> None:
    """Makes torch's random numbers of a step, such as dropout's, those that it has after a resume, too."""
    name = f"{seed} {stage} {step}".encode()
    torch.manual_seed(int.from_bytes(hashlib.blake2b(name, digest_size=7).digest(), "little"))


def digest(model: torch.nn.Module) -> str:
    """Of the names and values of a model's parameters."""
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in model.named_parameters():
        found.update(f"{name} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def fit(
    model: torch.nn.Module,
    batches: Callable[[int], Any] | Sequence[Any],
    which: Iterable[str] | Callable[[str, torch.nn.Module], bool] | None,
    folder: str | os.PathLike[str],
    *,
    loss: Callable[[Tensor, Any], Tensor],
    forward: Callable[[torch.nn.Module, Any], Tensor] | None = None,
    evaluation: Iterable[Any] = (),
    tables: int = 128,
    bits: int = 8,
    projection: str = "dense",
    minutes: float | None = None,
    cpu_minutes: float | None = None,
    steps: int | None = None,
    lr: float | None = None,
    distil_lr: float = 2e-3,
    tables_lr: float = 0.06,
    weight_decay: float = 0.0,
    distil_part: float = 0.1,
    distil_share: float = 0.5,
    warm_up: int = 50,
    capture_tokens: int = 32768,
    revive_every: int = 100,
    evaluations: int = 20,
    checkpoint_seconds: float = 60.0,
    report_seconds: float = 10.0,
    seed: int = 0,
    scratch: bool = False,
    compare: str | os.PathLike[str] | None = None,
    resume: bool = False,
    report: Callable[[str], Any] = functools.partial(print, flush=True),
    **layer_options: Any,
) -> FitResult:
    """Puts LookupFFN layers in place of the feed-forward layers of a trained model, and trains them to do their work.

    1. Each layer starts from the dense one's inputs and outputs on captured activations (start.start_from).
    2. All layers are distilled from the dense ones, one batch per step. Unused codes are revived.
    3. The whole model, with all its weights, is fine-tuned by its own loss and the dense model's logits.

    model: float32, on the CPU; is changed in place.
    batches(n): batch number n, the same at each call, for n from 0 on without end; or a sequence of batches, which are then
        taken again and again. `forward` and `loss` take one.
    which: the modules to replace, as for replace(); None: lookupffn.feed_forward_names(model). A module that adds its own input,
        or normalises its output, is replaced with these; name its linear layers instead: "layer.0.w1+layer.0.w2".
    folder: gets checkpoint.pt, log.jsonl, curves.svg and model.safetensors. With another fit in it, only resume=True takes it.
    forward(model, batch) -> logits [..., classes]; default: model(batch). loss(logits, batch) -> the model's own loss.
    evaluation: held-out batches, which `batches` does not give. The loss on them is measured `evaluations` times on the way.
        The weights with the lowest are the result: with little data the last ones may have overfitted.
    tables, bits, projection, layer_options: arguments of LookupFFN.
    minutes, cpu_minutes, steps: one of them says when to end: after this many minutes, minutes of this process's CPU time (of
        all threads together; better on a busy machine), or steps. Without any: minutes=60.
    lr, distil_lr: learning rates of the fine-tuning (None: 1e-3, from scratch 2e-3) and of the distillation; both rise for
        `warm_up` steps, then fall to 1 % of it.
        tables_lr: that of a layer's tables in both, as a fraction of the root mean square of the tables at the start.
    distil_part: fraction of the time or steps spent on distillation. distil_share: weight of the dense model's logits in the
        fine-tuning's loss.
    capture_tokens: how many tokens the start goes by. Each layer's inputs and outputs of them are held until the fine-tuning:
        4 bytes * capture_tokens * (d_in + d_out) a layer, 200 MB at d 768.
    checkpoint_seconds: how often a checkpoint is written; also when a step fails, and after SIGINT and SIGTERM, where a second
        one ends the fit at once.
    resume: continue from the checkpoint in `folder`, with its dense model and options; `model` is the dense one again. Steps
        that the log has and the checkpoint lacks are repeated with the same results and are not counted as time, so a kill loses
        only the step in progress. Learning rates may differ, and the number of `minutes` or `cpu_minutes`: with more of them a
        finished fit goes on with its fine-tuning. Each step has random numbers of torch of its own, by `seed`.
    scratch: `model` is untrained: train it, with LookupFFN layers, by its own loss alone, as a comparison.
    compare: the folder of such a training, whose curve is added to the picture.
    report: a function that gets lines about the progress.

    Raises ValueError for modules that are not feed-forward layers and for too little data, FitError for a loss that is not
    finite, KeyboardInterrupt after a signal.
    """
    forward = forward or (lambda module, batch: module(batch))
    batches, evaluation = _numbered(batches), list(evaluation)
    limits = {"minutes": minutes, "cpu_minutes": cpu_minutes, "steps": steps}
    given = {name: value for name, value in limits.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are given; one of them says when to end")
    for name, value in given.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}; it is more than 0")
    if not given:
        limits["minutes"] = 60.0
    for name, part in (("distil_part", distil_part), ("distil_share", distil_share)):
        if not 0 <= part <= 1:
            raise ValueError(f"{name} is {part}; it is from 0 to 1")
    if lr is None:
        lr = 2e-3 if scratch else 1e-3
    for name, value in (("lr", lr), ("distil_lr", distil_lr), ("tables_lr", tables_lr), ("revive_every", revive_every)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it is more than 0")
    for name, value in (("weight_decay", weight_decay), ("evaluations", evaluations), ("warm_up", warm_up)):
        if not value >= 0:
            raise ValueError(f"{name} is {value}; it is 0 or more")
    if "sparse" in layer_options:
        raise ValueError("sparse is what fit() gives the layers itself: leave it out")
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point() and parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            given = f"{parameter.dtype} on {parameter.device}"
            raise ValueError(f"{name} is {given}; fit takes float32 on the CPU: model.float().cpu()")
    sizes = {"tables": tables, "bits": bits, "projection": projection, **layer_options}
    options = {
        **sizes, **limits, "lr": lr, "distil_lr": distil_lr, "tables_lr": tables_lr, "weight_decay": weight_decay,
        "distil_part": distil_part, "distil_share": distil_share, "warm_up": max(1, warm_up), "capture_tokens": capture_tokens,
        "revive_every": revive_every, "evaluations": evaluations, "checkpoint_seconds": checkpoint_seconds,
        "report_seconds": report_seconds, "seed": seed, "scratch": scratch,
    }  # fmt: skip
    if capture_tokens < 4 << bits:
        raise ValueError(
            f"capture_tokens is {capture_tokens}: too little data for {1 << bits} rows a table; give {4 << bits} or more"
        )
    changed = [name for name, module in model.named_modules() if isinstance(module, LookupFFN)]
    names = feed_forward_names(model) if which is None else chosen_names(model, which)
    if changed and (not names or any(part in changed for name in names for part in name.split("+"))):
        raise ValueError(
            f"the model has LookupFFN layers already ({', '.join(changed)[:200]}): fit() changes the model that it gets; give the"
            f" {'untrained' if scratch else 'dense'} model again"
        )
    if not names and which is None:
        raise ValueError("found no feed-forward layers in the model: name them with `which`")
    compared = {} if compare is None else {"from scratch": Journal(compare, create=False).entries()}
    journal = Journal(folder)
    with journal.locked(), torch.random.fork_rng(devices=[]):  # the caller's random numbers stay its own
        if not resume and (stage := journal.stage()) is not None:
            raise ValueError(
                f"{journal.folder} has a fit already ({stage}): resume=True (--resume) goes on with it; for a new one delete the"
                " folder or name another"
            )
        return _fit_in(journal, model, batches, names, loss, forward, evaluation, sizes, options, compared, resume, report)


def _numbered(batches: Any) -> Callable[[int], Any]:
    """batches(n), of what fit() gets as `batches`."""
    if callable(batches):
        return batches
    if not hasattr(batches, "__getitem__") or not hasattr(batches, "__len__"):
        raise TypeError(f"batches is a {type(batches).__name__}; give a function of a batch's number, or a list of batches")
    if not len(batches):
        raise ValueError("batches has no batch")
    return lambda number: batches[number % len(batches)]


def _fit_in(
    journal, model, batches, which, loss, forward, evaluation, sizes, options, compared, resume, report
) -> FitResult:
    """fit(), in a folder that is its own, with arguments that have been looked at."""
    scratch = options["scratch"]
    state = journal.load() if resume else None
    if resume and state is None:
        report(f"{journal.folder} has no checkpoint: beginning anew")

    teacher = dense_loss = None
    if not scratch:
        teacher = copy.deepcopy(model).eval().requires_grad_(False)
        teacher.apply(pass_by_fused_path)  # its activations are captured
        dense_loss = evaluated(teacher, forward, loss, evaluation)
        if dense_loss is not None and not math.isfinite(dense_loss):
            raise ValueError(f"the dense model's loss over the evaluation batches is {dense_loss}: look at them, and at loss()")
    torch.manual_seed(options["seed"])
    new = replace(model, which, sparse=True, **sizes)
    layers = {name: layer for name, layer in new.items() if isinstance(layer, LookupFFN)}
    model.train()
    running = _Fit(model, teacher, layers, batches, forward, loss, evaluation, options, journal, report)
    if state is None:
        running.capture(model if teacher is None else teacher, 0, 1)  # before anything is done, so that modules that do not fit are told of
        journal.begin()
        report(f"{len(layers)} layers: {', '.join(layers)}")
        if dense_loss is not None:
            report(f"dense loss {dense_loss:.4f}")
    else:
        running.load(state)
        more = f", and {len(journal.replayed)} lines of the log to do again" if journal.replayed else ""
        if running.stage == "done":
            report(f"the fit in {journal.folder} is finished; more minutes or cpu_minutes than it had let it go on")
        else:
            report(f"resumed: {running.stage}, step {running.step}, after {_time(running.spent())}{more}")

    def draw(rows_used: dict[str, Tensor]) -> None:
        runs = {"from scratch" if scratch else "fitted": journal.entries(), **compared}
        clock = "cpu_seconds" if options["cpu_minutes"] is not None else "seconds"
        shares = {name: (used > 0).float().mean(1).tolist() for name, used in rows_used.items()}
        write_curves(os.path.join(journal.folder, "curves.svg"), runs, clock, dense_loss, shares)

    running.after_evaluation = lambda: draw({})
    former = {}

    def stop(number, frame):
        if running.stopping.is_set():  # the step does not end
            raise KeyboardInterrupt
        running.stopping.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            former[number] = signal.signal(number, stop)
    try:
        running.run()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)

    if evaluation:
        load(model, running.model_path)
    else:
        save(model, running.model_path)
    model.eval()
    fitted_loss = evaluated(model, forward, loss, evaluation)
    rows_used = {name: used_rows(layers[name], x) for name, (x, _) in running.capture(model, 0, options["capture_tokens"]).items()}
    draw(rows_used)
    if fitted_loss is not None:
        dense = "" if dense_loss is None else f", dense loss {dense_loss:.4f}"
        report(f"fitted loss {fitted_loss:.4f}{dense}; wrote {running.model_path}")
    shares = {name: float((used > 0).float().mean()) for name, used in rows_used.items()}
    return FitResult(dense_loss, fitted_loss, shares, running.model_path)


@torch.no_grad()
def evaluated(model, forward, loss, batches: Sequence[Any]) -> float | None:
    """The mean loss of a model in eval(), over batches; None: there are none."""
    if not batches:
        return None
    training = model.training
    model.eval()
    try:
        return sum(float(loss(forward(model, batch), batch)) for batch in batches) / len(batches)
    finally:
        model.train(training)

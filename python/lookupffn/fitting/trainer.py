"""The way from a trained model to one with LookupFFN layers: start, distil, fine-tune."""

from __future__ import annotations

import copy
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

from ..nn import LookupFFN, parameter_groups, pass_by_fused_path, replace, save
from ..optim import RowAdam
from .activations import captured
from .curves import write_curves
from .journal import Journal
from .start import revive, start_from, used_rows


class FitError(RuntimeError):
    """A fit cannot go on. The folder holds the last good state; `str()` says what happened and what to do."""


@dataclass(frozen=True)
class FitResult:
    """What a fit came to."""

    dense_loss: float | None
    """Mean loss of the model as it was, over the evaluation batches; None: there are none."""
    loss: float | None
    """Of the fitted model, which runs on packed kernels for this."""
    rows_used: dict[str, float]
    """name -> share of a layer's rows that the captured tokens pick."""
    path: str
    """The model file."""


class _Fit:
    """The state of a fit, which a checkpoint holds, and its steps."""

    def __init__(self, model, teacher, layers, batches, forward, loss, options, journal, report) -> None:
        self.model, self.teacher, self.layers = model, teacher, layers
        self.batches, self.forward, self.loss = batches, forward, loss
        self.options, self.journal, self.report = options, journal, report
        self.stage, self.step, self.seconds = "start", 0, 0.0  # seconds: of this and of the runs that it resumes
        self.optimizer: RowAdam | None = None
        self.stopping = threading.Event()
        self.begin = self.saved = time.monotonic()
        self._captured: dict[str, tuple[Tensor, Tensor]] | None = None

    stages = ("start", "distil", "tune", "done")

    def run(self) -> None:
        while self.stage != "done":
            if self.stage == "start":
                self.start()
            elif self.stage == "distil":
                self.steps(self.options["distil_steps"], self.distil)
            else:
                self.steps(self.options["steps"], self.tune)
            following = self.stages[self.stages.index(self.stage) + 1]
            self.stage, self.step, self.optimizer = following, 0, None
            self.save()

    def activations(self) -> dict[str, tuple[Tensor, Tensor]]:
        if self._captured is None:
            self._captured = self.capture(0, self.options["capture_tokens"])
        return self._captured

    def capture(self, first: int, tokens: int) -> dict[str, tuple[Tensor, Tensor]]:
        """name -> inputs and outputs of the dense layers in the batches from number `first` on."""
        modules = dict(self.teacher.named_modules())
        dense = {name: modules[name] for name in self.layers}
        return captured(dense, lambda number: self.forward(self.teacher, self.batches(first + number)), tokens)

    def groups(self) -> list[dict[str, Any]]:
        """What the stage's optimiser trains."""
        trained = self.model if self.stage == "tune" else torch.nn.ModuleList(self.layers.values())
        return parameter_groups(trained, self.options["lr"])

    def start(self) -> None:
        for name, (x, y) in self.activations().items():
            left = start_from(self.layers[name], x, y)
            self.log({"left": left}, f"start {name}: {100 * left:.1f} % of the variance is left", layer=name)

    def steps(self, count: int, one: Callable[[int], dict[str, float]]) -> None:
        """Steps of a stage from where it stands, with the learning rate warmed up and let down to a twentieth."""
        groups = self.groups()
        rates = [group["lr"] for group in groups]
        if self.optimizer is None:
            self.optimizer = RowAdam(groups, weight_decay=self.options["weight_decay"])
        warm_up = max(1, min(100, count // 10))
        first = time.monotonic()
        first_step = self.step
        while self.step < count:
            share = max(0.05, 1 - self.step / count) * min(1, (self.step + 1) / warm_up)
            for group, rate in zip(self.optimizer.param_groups, rates):
                group["lr"] = rate * share
            self.optimizer.zero_grad()
            result = one(self.step)
            self.optimizer.step()
            self.step += 1
            left = (time.monotonic() - first) / (self.step - first_step) * (count - self.step)
            every = max(1, count // 20)
            text = ", ".join(f"{name} {value:.4f}" for name, value in result.items())
            line = f"{self.stage}, step {self.step} of {count}: {text}; {left:.0f} s of this stage left"
            self.log(result, line if self.step % every == 0 or self.step == count else None)
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
        for name, (x, y) in self.capture(step, 1).items():
            offs.append(F.mse_loss(self.layers[name](x), y) / y.var())
        total = torch.stack(offs).sum()
        self.need_finite(total, step)
        total.backward()
        return {"left": float(total) / len(offs)}

    def tune(self, step: int) -> dict[str, float]:
        batch = self.batches(step)
        logits = self.forward(self.model, batch)
        own = self.loss(logits, batch)
        with torch.no_grad():
            wanted = self.forward(self.teacher, batch)
        apart = F.kl_div(
            logits.flatten(0, -2).log_softmax(-1), wanted.flatten(0, -2).log_softmax(-1), log_target=True, reduction="batchmean"
        )
        share = self.options["distil_share"]
        total = (1 - share) * own + share * apart
        self.need_finite(total, step)
        total.backward()
        dense = [p for p in self.model.parameters() if p.grad is not None and not p.grad.is_sparse]
        torch.nn.utils.clip_grad_norm_(dense, 1.0)
        return {"loss": float(own), "apart": float(apart)}

    def need_finite(self, loss: Tensor, step: int) -> None:
        if not math.isfinite(float(loss.detach())):
            raise FitError(
                f"{self.stage}, step {step + 1}: the loss is {float(loss.detach())}; the last good state is in"
                f" {self.journal.folder}: look at the batch, or resume from there with a smaller lr (it is {self.options['lr']:g})"
            )

    # ---- what is kept ----

    def log(self, entry: dict[str, Any], line: str | None, **more: Any) -> None:
        seconds = self.seconds + time.monotonic() - self.begin
        self.journal.log({"stage": self.stage, "step": self.step, "seconds": round(seconds, 3), **more, **entry})
        if line is not None:
            self.report(line)

    def save(self) -> None:
        self.journal.save(
            {
                "options": self.options,
                "stage": self.stage,
                "step": self.step,
                "seconds": self.seconds + time.monotonic() - self.begin,
                "model": self.model.state_dict(),
                "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            }
        )
        self.saved = time.monotonic()

    def load(self, state: dict[str, Any]) -> None:
        # Of these another value does no harm to what was done.
        free = ("lr", "checkpoint_seconds")
        for name, value in self.options.items():
            if name not in free and state["options"].get(name) != value:
                was = state["options"].get(name)
                raise ValueError(
                    f"the fit in {self.journal.folder} has {name} = {was!r}, not {value!r}: resume it with what it has"
                )
        self.stage, self.step, self.seconds = state["stage"], state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        if state["optimizer"] is not None:
            self.optimizer = RowAdam(self.groups(), weight_decay=self.options["weight_decay"])
            self.optimizer.load_state_dict(state["optimizer"])


def fit(
    model: torch.nn.Module,
    batches: Callable[[int], Any],
    which: Iterable[str] | Callable[[str, torch.nn.Module], bool],
    folder: str | os.PathLike[str],
    *,
    loss: Callable[[Tensor, Any], Tensor],
    forward: Callable[[torch.nn.Module, Any], Tensor] | None = None,
    evaluation: Sequence[Any] = (),
    tables: int = 128,
    bits: int = 8,
    steps: int = 2000,
    distil_steps: int = 300,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    distil_share: float = 0.5,
    capture_tokens: int = 32768,
    revive_every: int = 100,
    checkpoint_seconds: float = 30.0,
    seed: int = 0,
    resume: bool = False,
    report: Callable[[str], Any] = print,
    **layer_options: Any,
) -> FitResult:
    """Puts LookupFFN layers in place of the feed-forward layers of a trained model, and trains them to do their work.

    1. Each layer starts from what the dense one makes of captured activations (start.start_from), and all are distilled from the
       dense ones by `distil_steps` steps, a batch each. Codes that nobody uses are revived.
    2. The whole model is fine-tuned by `steps` steps of its own loss and of the dense model's logits.

    model: it is changed. batches(n): batch number n, the same at each call; what `forward` and `loss` take. which: the modules to
    replace, as for replace(). folder: gets checkpoint.pt, log.jsonl, curves.svg and model.safetensors.
    forward(model, batch) -> logits [..., classes]; model(batch) where it is not given. loss(logits, batch) -> the model's own loss.
    evaluation: batches to measure the result with.
    tables, bits, layer_options: LookupFFN's. distil_share: of the logits in the fine-tuning's loss.
    checkpoint_seconds: a checkpoint is written as often, and after SIGINT and SIGTERM. resume: goes on from the checkpoint in
    `folder`, with the dense model and the options that it was begun with; what was done after the checkpoint is done again alike.
    report: gets lines about the progress.

    Raises ValueError for modules that are no feed-forward layers and for too little data, FitError for a loss that is not finite,
    KeyboardInterrupt after a signal.
    """
    forward = forward or (lambda module, batch: module(batch))
    options = {
        "tables": tables, "bits": bits, "steps": steps, "distil_steps": distil_steps, "lr": lr, "weight_decay": weight_decay,
        "distil_share": distil_share, "capture_tokens": capture_tokens, "revive_every": revive_every,
        "checkpoint_seconds": checkpoint_seconds, "seed": seed, **layer_options,
    }  # fmt: skip
    if capture_tokens < 4 << bits:
        raise ValueError(
            f"capture_tokens is {capture_tokens}: too little data for {1 << bits} rows a table; give {4 << bits} or more"
        )
    journal = Journal(folder)
    state = journal.load() if resume else None
    if resume and state is None:
        report(f"{journal.folder} has no checkpoint: beginning anew")

    teacher = copy.deepcopy(model).eval().requires_grad_(False)
    teacher.apply(pass_by_fused_path)  # its activations are captured
    dense_loss = _evaluated(teacher, forward, loss, evaluation)
    torch.manual_seed(seed)
    new = replace(model, which, tables=tables, bits=bits, sparse=True, **layer_options)
    layers = {name: layer for name, layer in new.items() if isinstance(layer, LookupFFN)}
    model.train()
    running = _Fit(model, teacher, layers, batches, forward, loss, options, journal, report)
    if state is None:
        journal.begin()
        running.activations()  # before anything is done, so that modules that do not fit are told of
        if dense_loss is not None:
            report(f"dense loss {dense_loss:.4f}")
    else:
        running.load(state)
        report(f"resumed: {running.stage}, step {running.step}, after {running.seconds:.0f} s")

    former = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            former[number] = signal.signal(number, lambda *_: running.stopping.set())
    try:
        running.run()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)

    model.eval()
    fitted_loss = _evaluated(model, forward, loss, evaluation)
    rows_used = {name: float((used_rows(layers[name], x) > 0).float().mean()) for name, (x, _) in running.activations().items()}
    path = os.path.join(journal.folder, "model.safetensors")
    save(model, path)
    write_curves(os.path.join(journal.folder, "curves.svg"), journal.entries(), dense_loss, fitted_loss, rows_used)
    if fitted_loss is not None:
        report(f"fitted loss {fitted_loss:.4f}, dense loss {dense_loss:.4f}; wrote {path}")
    return FitResult(dense_loss, fitted_loss, rows_used, path)


@torch.no_grad()
def _evaluated(model, forward, loss, batches: Sequence[Any]) -> float | None:
    if not batches:
        return None
    return sum(float(loss(forward(model, batch), batch)) for batch in batches) / len(batches)

"""fit(): what it makes of a dense model, kills and resumes, mistakes."""

import copy
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import testing

torch = testing.need_torch()

import lookupffn  # noqa: E402
from lookupffn.fitting.activations import captured  # noqa: E402
from lookupffn.fitting.journal import TIMES, Journal  # noqa: E402
from lookupffn.fitting.start import revive, start_from, used_rows  # noqa: E402

SYMBOLS, D, CONTEXT = 24, 32, 3


class FeedForward(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = torch.nn.LayerNorm(D), torch.nn.Linear(D, 96), torch.nn.Linear(96, D)

    def forward(self, x):
        return self.down(torch.nn.functional.gelu(self.up(self.norm(x))))


class Predictor(torch.nn.Module):
    """Logits of a symbol from the three before it."""

    def __init__(self):
        super().__init__()
        self.symbols = torch.nn.Embedding(SYMBOLS * CONTEXT, D)
        self.blocks = torch.nn.ModuleList(FeedForward() for _ in range(2))
        self.out = torch.nn.Linear(D, SYMBOLS)

    def forward(self, batch):
        x = self.symbols(batch[0] + torch.arange(CONTEXT) * SYMBOLS).sum(1)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


def batches(number):
    """Three symbols, and the one that follows: a function of theirs, one time in five a random one."""
    generator = torch.Generator().manual_seed(number)
    before = torch.randint(SYMBOLS, (256, CONTEXT), generator=generator)
    after = (before[:, 0] * before[:, 1] + 3 * before[:, 2]) % SYMBOLS
    noise = torch.rand(256, generator=generator) < 0.2
    return before, torch.where(noise, torch.randint(SYMBOLS, (256,), generator=generator), after)


def loss(logits, batch):
    return torch.nn.functional.cross_entropy(logits, batch[1])


def dense_model(steps=400, blocks=None):
    """A trained model of one's own."""
    return copy.deepcopy(_dense_model(steps, blocks))


@functools.lru_cache(maxsize=None)
def _dense_model(steps, blocks):
    torch.manual_seed(4)
    model = Predictor()
    model.blocks = blocks or model.blocks
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        batch = batches(step)
        optimizer.zero_grad()
        loss(model(batch), batch).backward()
        optimizer.step()
    return model


EVALUATION = [batches(1_000_000 + number) for number in range(4)]
# 80 steps of distillation, 100 of fine-tuning
OPTIONS = dict(
    loss=loss, evaluation=EVALUATION, evaluations=3, tables=24, bits=5, steps=180, distil_part=80 / 180, capture_tokens=4096,
    lr=2e-3, distil_lr=2e-3, warm_up=10,
)  # fmt: skip


def which(name, module):
    return isinstance(module, FeedForward)


def entries(folder):
    with open(os.path.join(folder, "log.jsonl")) as file:
        return [json.loads(line) for line in file]


def entries_whole(folder):
    """Those of a killed process: the last line may be cut off."""
    with open(os.path.join(folder, "log.jsonl")) as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def curve(folder):
    """The log without the times."""
    return [{name: value for name, value in entry.items() if name not in TIMES} for entry in entries(folder)]


def steps(folder):
    """The stages and numbers of the log's training steps."""
    return [(entry["stage"], entry["step"]) for entry in entries(folder) if "share" in entry]


def fit_in(folder, model=None, **options):
    return lookupffn.fit(model or dense_model(), batches, which, folder, **{**OPTIONS, "report": lambda line: None, **options})


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        torch.set_num_threads(1)


class FitTest(InFolder):
    def test_the_fitted_model_does_the_dense_one_s_work(self):
        lines = []
        model = dense_model()
        result = fit_in(self.folder, model, report=lines.append)
        untrained = sum(float(loss(Predictor()(batch), batch)) for batch in EVALUATION) / len(EVALUATION)
        self.assertLess(result.loss - result.dense_loss, 0.25 * (untrained - result.dense_loss), result)
        self.assertEqual(list(result.rows_used), ["blocks.0", "blocks.1"])
        self.assertTrue(all(share > 0.8 for share in result.rows_used.values()), result.rows_used)
        self.assertIsInstance(model.blocks[0], lookupffn.nn.LookupFFN)
        self.assertEqual(len(lookupffn.Model(result.path).layers), 2)
        expected = [("distil", step + 1) for step in range(80)] + [("tune", step + 1) for step in range(100)]
        self.assertEqual(steps(self.folder), expected)
        evaluations = [(entry["stage"], entry["step"]) for entry in curve(self.folder) if "evaluation" in entry]
        self.assertEqual(evaluations, [("start", 0), ("distil", 80), ("tune", 34), ("tune", 67), ("tune", 100)])
        self.assertTrue(any("left" in line and "tune" in line for line in lines))
        with open(os.path.join(self.folder, "curves.svg")) as file:
            picture = file.read()
        for words in ("dense", "fitted", "blocks.1: 100.0 % of rows used"):
            self.assertIn(words, picture)
        # Distilling and fine-tuning each do their part.
        left = [entry["left"] for entry in curve(self.folder) if entry["stage"] == "distil" and "left" in entry]
        self.assertLess(sum(left[-10:]), sum(left[:10]))

    def test_a_transformer_of_torch(self):
        class Encoder(Predictor):
            def __init__(self):
                super().__init__()
                self.blocks = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(D, 2, 64, batch_first=True), 2)

            def forward(self, batch):
                x = self.symbols(batch[0] + torch.arange(CONTEXT) * SYMBOLS)
                return self.out(self.blocks(x).mean(1))

        torch.manual_seed(0)
        model = Encoder()
        chosen = lambda name, module: isinstance(module, torch.nn.TransformerEncoderLayer)  # noqa: E731
        options = {**OPTIONS, "steps": 33, "distil_part": 30 / 33}
        lookupffn.fit(model, batches, chosen, self.folder, report=lambda line: None, **options)
        left = [entry["left"] for entry in curve(self.folder) if entry["stage"] == "distil" and "left" in entry]
        self.assertLess(max(left[-5:]), 0.9)
        self.assertEqual(len(lookupffn.Model(os.path.join(self.folder, "model.safetensors")).layers), 2)

    def test_two_linear_layers_of_a_block(self):
        """A block whose feed-forward part is no module of its own, as in OPT and BERT."""

        class Block(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.mixed, self.norm = torch.nn.Linear(D, D), torch.nn.LayerNorm(D)
                self.fc1, self.fc2 = torch.nn.Linear(D, 96), torch.nn.Linear(96, D)

            def forward(self, x):
                x = x + self.mixed(x)
                return self.fc2(torch.nn.functional.gelu(self.fc1(self.norm(x))))

        blocks = torch.nn.ModuleList(Block() for _ in range(2))
        model = dense_model(blocks=blocks)
        result = lookupffn.fit(model, batches, None, self.folder, report=lambda line: None, **OPTIONS)
        self.assertEqual(list(result.rows_used), ["blocks.0.fc1+blocks.0.fc2", "blocks.1.fc1+blocks.1.fc2"])
        self.assertLess(result.loss - result.dense_loss, 0.3)
        self.assertIsInstance(model.blocks[1].fc2, lookupffn.nn.LookupFFN)
        copied = copy.deepcopy(model)
        torch.testing.assert_close(copied(EVALUATION[0]), model(EVALUATION[0]))

    def test_a_signal_loses_nothing(self):
        process = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), "--fit", self.folder], stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        done = curve(self.folder)
        fit_in(self.folder, resume=True, checkpoint_seconds=0.3)
        self.assertEqual(curve(self.folder)[: len(done)], done)

    def test_what_the_log_has_after_the_checkpoint_is_done_again(self):
        """As after a kill: an older checkpoint, a log that ends within a line."""

        class Stopped(Exception):
            pass

        expected = os.path.join(self.folder, "expected")
        fit_in(expected, evaluations=10)
        for options in ({}, {"steps": None, "cpu_minutes": 0.2}):
            folder = os.path.join(self.folder, str(len(options)))
            options = {"evaluations": 10, "checkpoint_seconds": 1e9, **options}

            def stopping(logits, batch):
                stopping.steps += torch.is_grad_enabled()
                if stopping.steps == 60:
                    raise Stopped
                return loss(logits, batch)

            stopping.steps = 0
            checkpoint, older = os.path.join(folder, "checkpoint.pt"), os.path.join(self.folder, "older.pt")

            def evaluated(line):
                if line.startswith("distil") and "evaluation" in line:
                    evaluated.before = True
                elif evaluated.before and not os.path.exists(older):
                    shutil.copy(checkpoint, older)

            evaluated.before = False
            with self.subTest(folder), self.assertRaises(Stopped):
                fit_in(folder, loss=stopping, report_seconds=0, report=evaluated, **options)
            os.replace(older, checkpoint)  # not the one that was saved as the step failed
            done = entries(folder)
            self.assertEqual((done[-1]["stage"], done[-1]["step"]), ("tune", 59))
            with open(os.path.join(folder, "log.jsonl"), "a") as file:
                file.write('{"stage": "tu')
            lines = []
            timed = "cpu_minutes" in options
            if timed:
                options["cpu_minutes"] = (done[-1]["cpu_seconds"] + 1) / 60  # it need not take all of the time
            fit_in(folder, resume=True, report=lines.append, **options)
            self.assertIn("resumed: tune, step 0,", lines[0])
            self.assertEqual(entries(folder)[: len(done)], done)
            self.assertGreater(len(entries(folder)), len(done))
            if not timed:
                self.assertEqual(curve(folder), curve(expected))

    def test_a_loss_that_is_not_finite(self):
        def failing(logits, batch):
            failing.calls += torch.is_grad_enabled()
            return loss(logits, batch) * (float("nan") if failing.calls > 40 else 1)

        failing.calls = 0
        few = {"steps": 102, "distil_part": 2 / 102}
        with self.assertRaisesRegex(lookupffn.FitError, "tune, step 41: the loss is nan.*" + self.folder):
            fit_in(self.folder, loss=failing, **few)
        lines = []
        result = fit_in(self.folder, resume=True, lr=1e-3, report=lines.append, **few)
        self.assertTrue(any("resumed: tune, step 40," in line for line in lines), lines)
        self.assertEqual(len(steps(self.folder)), 102)
        self.assertTrue(result.loss < 10)

    def test_a_gradient_that_is_not_finite(self):
        class Broken(torch.autograd.Function):
            @staticmethod
            def forward(ctx, value):
                return value.clone()

            @staticmethod
            def backward(ctx, gradient):
                return gradient * float("nan")

        with self.assertRaisesRegex(lookupffn.FitError, "the gradient is nan"):
            fit_in(self.folder, loss=lambda logits, batch: loss(Broken.apply(logits), batch), steps=10)

    def test_what_is_refused(self):
        model = dense_model(1)
        for words, options, chosen in (
            ("too little data", {"capture_tokens": 64}, which),
            ("'symbols' is no feed-forward layer", {"d_in": 4, "d_out": 4}, ["symbols"]),
            ("has no module 'block'", {}, ["block"]),
        ):
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                lookupffn.fit(dense_model(1), batches, chosen, self.folder, **{**OPTIONS, **options})
        unused = torch.nn.ModuleDict({"used": model, "unused": FeedForward()})
        with self.assertRaisesRegex(ValueError, "'unused' is not called"):
            lookupffn.fit(unused, batches, ["unused"], self.folder, forward=lambda m, b: m["used"](b), **OPTIONS)
        for words, options in (
            ("minutes and steps", {"minutes": 1}),
            ("nowhere has no log", {"compare": os.path.join(self.folder, "nowhere")}),
            ("steps is 0", {"steps": 0}),
            ("distil_part is 2", {"distil_part": 2}),
        ):
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                fit_in(self.folder, dense_model(1), **options)
        with Journal(self.folder).locked(), self.assertRaisesRegex(ValueError, "another fit is at work"):
            fit_in(self.folder, dense_model(1))
        fit_in(self.folder, dense_model(1), steps=2, distil_part=0.5)
        with self.assertRaisesRegex(ValueError, "tables = 24, not 12"):
            fit_in(self.folder, dense_model(1), steps=2, distil_part=0.5, tables=12, resume=True)

    def test_a_budget_of_time(self):
        before = time.process_time()
        fit_in(self.folder, cpu_minutes=3 / 60, steps=None)
        self.assertLess(time.process_time() - before, 30)
        log = entries(self.folder)
        self.assertEqual(log[-1]["stage"], "tune")
        self.assertTrue(2.5 < log[-1]["cpu_seconds"] < 10, log[-1])
        shares = [entry["share"] for entry in log if entry["stage"] == "tune" and "share" in entry]
        self.assertEqual(shares, sorted(shares))

    def test_from_scratch(self):
        scratch = os.path.join(self.folder, "scratch")
        torch.manual_seed(0)
        result = fit_in(scratch, Predictor(), scratch=True)
        self.assertIsNone(result.dense_loss)
        self.assertEqual(steps(scratch), [("tune", step + 1) for step in range(180)])
        fit_in(os.path.join(self.folder, "fit"), steps=4, distil_part=0.5, compare=scratch)
        with open(os.path.join(self.folder, "fit", "curves.svg")) as file:
            self.assertIn("from scratch", file.read())


class SmallFitTest(InFolder):
    """A few steps: what fit() takes and refuses, and how it goes on."""

    few = {"steps": 12, "distil_part": 0.5, "evaluations": 2, "capture_tokens": 512}

    def test_a_folder_that_has_a_fit(self):
        fit_in(self.folder, dense_model(1), **self.few)
        before = entries(self.folder)
        with self.assertRaisesRegex(ValueError, f"{self.folder} has a fit already .finished.: resume=True.*delete the folder"):
            fit_in(self.folder, dense_model(1), **self.few)
        self.assertEqual(entries(self.folder), before)
        lines = []
        result = fit_in(self.folder, dense_model(1), resume=True, report=lines.append, **self.few)
        self.assertTrue(any("is finished; more minutes" in line for line in lines), lines)
        self.assertEqual(entries(self.folder), before)
        self.assertEqual(result.loss, min(entry["evaluation"] for entry in before if entry["stage"] == "tune" and "evaluation" in entry))

    def test_resume_with_dropout(self):
        """The step that fails is saved before, and the random numbers of a step are its own."""

        class Stopped(Exception):
            pass

        def stopping(logits, batch):
            stopping.steps += torch.is_grad_enabled()
            if stopping.steps == 4:
                raise Stopped
            return loss(logits, batch)

        def model():
            model = dense_model(1)
            model.out = torch.nn.Sequential(torch.nn.Dropout(0.3), model.out)
            return model

        whole, parts = (os.path.join(self.folder, name) for name in ("whole", "parts"))
        torch.manual_seed(77)
        expected = torch.rand(1)
        torch.manual_seed(77)
        fit_in(whole, model(), **self.few)
        self.assertEqual(torch.rand(1), expected, "the caller's random numbers are its own")
        stopping.steps = 0
        with self.assertRaises(Stopped):
            fit_in(parts, model(), loss=stopping, checkpoint_seconds=1e9, **self.few)
        self.assertEqual(Journal(parts).load()["step"], 3)
        torch.manual_seed(78)
        fit_in(parts, model(), resume=True, **self.few)
        self.assertEqual(curve(parts), curve(whole))

    def test_another_clock_or_dense_model(self):
        timed = {**self.few, "steps": None}
        fit_in(self.folder, dense_model(1), **{**timed, "cpu_minutes": 0.01})
        with self.assertRaisesRegex(ValueError, "ends by cpu_minutes.*not with minutes"):
            fit_in(self.folder, dense_model(1), resume=True, **{**timed, "minutes": 0.02})
        with self.assertRaisesRegex(ValueError, "scratch = False, not True"):
            fit_in(self.folder, dense_model(1), resume=True, scratch=True, **{**timed, "cpu_minutes": 0.02})
        other = dense_model(1)
        with torch.no_grad():
            other.out.bias += 1
        with self.assertRaisesRegex(ValueError, "another dense model"):
            fit_in(self.folder, other, resume=True, **{**timed, "cpu_minutes": 0.02})
        # A checkpoint that says nothing about it, and more time: the fine-tuning goes on.
        path = os.path.join(self.folder, "checkpoint.pt")
        state = torch.load(path)
        del state["dense"]
        torch.save(state, path)
        before = entries(self.folder)
        fit_in(self.folder, dense_model(1), resume=True, **{**timed, "cpu_minutes": 0.04})
        after = entries(self.folder)
        self.assertEqual(after[: len(before)], before)
        self.assertGreater(len(after), len(before) + 3)
        new = [entry["step"] for entry in after[len(before) :] if "share" in entry]
        last = max(entry["step"] for entry in before if entry["stage"] == "tune")
        self.assertEqual(new, list(range(last + 1, last + 1 + len(new))))

    def test_a_layer_with_constant_outputs(self):
        for value in (0.0, 3.0):
            model = dense_model(1)
            with torch.no_grad():
                model.blocks[1].down.weight.zero_()
                model.blocks[1].down.bias.fill_(value)
            folder = os.path.join(self.folder, str(value))
            fit_in(folder, model, **self.few)
            left = [entry["left"] for entry in entries(folder) if "left" in entry]
            self.assertTrue(all(0 <= one < 3 for one in left), left)
            self.assertGreater(float(model.blocks[1].tables.detach().abs().max()), 0, "it learns")

    def test_messages_of_what_is_not_finite(self):
        nan = float("nan")
        with self.assertRaisesRegex(ValueError, "dense model's loss over the evaluation batches is nan"):
            fit_in(self.folder, dense_model(1), loss=lambda logits, batch: loss(logits, batch) * nan, **self.few)

        def failing(logits, batch):
            failing.calls += batch is EVALUATION[0]
            return loss(logits, batch) * (nan if failing.calls > failing.good else 1)

        for good, words in (
            (1, "start, step 0: the evaluation loss is nan, of the model with the layers that least"),
            (2, "distil, step 6: the evaluation loss is nan.*evaluation batches.*smaller distil_lr"),
            (3, "tune, step 3: the evaluation loss is nan.*evaluation batches.*smaller lr"),
        ):
            failing.calls, failing.good = 0, good
            with self.subTest(words), self.assertRaisesRegex(lookupffn.FitError, words):
                fit_in(os.path.join(self.folder, str(good)), dense_model(1), loss=failing, **self.few)

    def test_batches_as_a_sequence_and_small_ones(self):
        several = [batches(number) for number in range(5)]
        result = lookupffn.fit(
            dense_model(1), several, which, self.folder, report=lambda line: None,
            **{**OPTIONS, **self.few, "evaluation": iter(EVALUATION)},
        )  # fmt: skip
        self.assertTrue(result.loss < 10)
        folder = os.path.join(self.folder, "one")
        one = [tuple(part[:1] for part in batches(number)) for number in range(600)]
        result = lookupffn.fit(dense_model(1), one, which, folder, report=lambda line: None, **{**OPTIONS, **self.few})
        self.assertTrue(result.loss < 10)
        for words, kind, given in (
            ("has no batch", ValueError, []),
            ("is a generator", TypeError, (batch for batch in several)),
            ("too little data: .* different inputs", ValueError, [tuple(part[:4] for part in several[0])]),
            ("batch 0 has no tokens", ValueError, [tuple(part[:0] for part in several[0])]),
        ):
            folder = os.path.join(self.folder, words[:5])
            with self.subTest(words), self.assertRaisesRegex(kind, words):
                lookupffn.fit(dense_model(1), given, which, folder, report=lambda line: None, **{**OPTIONS, **self.few})

    def test_the_changed_model_again(self):
        model = dense_model(1)
        fit_in(self.folder, model, **self.few)
        for chosen in (None, which, ["blocks.0"]):
            with self.subTest(chosen), self.assertRaisesRegex(ValueError, "has LookupFFN layers already.*dense model again"):
                lookupffn.fit(model, batches, chosen, self.folder, resume=True, **{**OPTIONS, **self.few})

    def test_options_out_of_range(self):
        for words, options in (
            ("revive_every is 0", {"revive_every": 0}),
            ("lr is 0", {"lr": 0.0}),
            ("distil_lr is -1", {"distil_lr": -1}),
            ("tables_lr is 0", {"tables_lr": 0}),
            ("weight_decay is -1", {"weight_decay": -1}),
            ("sparse is what fit", {"sparse": False}),
        ):
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                fit_in(self.folder, dense_model(1), **{**self.few, **options})
        with self.assertRaisesRegex(ValueError, "torch.float64.*model.float"):
            fit_in(self.folder, dense_model(1).double(), **self.few)

    def test_a_module_that_adds_its_own_input(self):
        class Residual(FeedForward):
            def forward(self, x):
                return 5 * torch.nn.functional.layer_norm(torch.randn(len(x), D, generator=torch.Generator().manual_seed(0)), (D,))

        lines = []
        model = dense_model(1)
        model.blocks[0] = Residual()
        fit_in(self.folder, model, report=lines.append, **self.few)
        self.assertTrue(any("this is much" in line for line in lines), lines)

    def test_a_second_signal_ends_a_hanging_step(self):
        program = (
            "import sys, time; sys.path.insert(0, sys.argv[1]); import fit_test; from fit_test import *\n"
            "def hanging(number):\n    number > 5 and (print('hangs', flush=True), time.sleep(60)); return batches(number)\n"
            "lookupffn.fit(dense_model(1), hanging, which, sys.argv[2], report=lambda line: None, **{**OPTIONS, 'capture_tokens': 512})"
        )
        command = [sys.executable, "-B", "-c", program, os.path.dirname(os.path.abspath(__file__)), self.folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "hangs\n")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        self.assertIn("KeyboardInterrupt", errors)
        self.assertEqual(Journal(self.folder).load()["step"], 6)


class KilledSlow(InFolder):
    def test_killed_with_a_budget_of_time(self):
        """What the log has stays, and is not paid for again."""
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        moments = random.Random(seed)
        done, checkpoint = [], os.path.join(self.folder, "checkpoint.pt")
        for kill in range(5):
            command = [sys.executable, "-B", os.path.abspath(__file__), "--cpu-minutes", "--fit", self.folder]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            process.stdout.readline()
            time.sleep(moments.uniform(1, 2.5))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            now = [entry for entry in entries_whole(self.folder)]
            if os.path.exists(checkpoint):
                self.assertEqual(now[: len(done)], done)
                done = now
        fit_in(self.folder, resume=True, steps=None, cpu_minutes=0.2)
        self.assertEqual(entries(self.folder)[: len(done)], done)
        self.assertTrue(11 < entries(self.folder)[-1]["cpu_seconds"] < 16)

    def test_killed_and_resumed(self):
        """Killed at random moments, a fit ends with the curve of one that was left alone."""
        whole = os.path.join(self.folder, "whole")
        expected = fit_in(whole)
        killed = os.path.join(self.folder, "killed")
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        moments = random.Random(seed)
        for kill in range(5):
            process = subprocess.Popen(
                [sys.executable, "-B", os.path.abspath(__file__), "--fit", killed], stdout=subprocess.PIPE
            )
            process.stdout.readline()  # it has begun
            time.sleep(moments.uniform(0.1, 1.5))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        result = fit_in(killed, resume=True, checkpoint_seconds=0.3)
        self.assertEqual(curve(killed), curve(whole))
        self.assertEqual(result.loss, expected.loss)


class PartsTest(unittest.TestCase):
    def test_feed_forward_names(self):
        class Gated(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gate_proj, self.up_proj = torch.nn.Linear(8, 24), torch.nn.Linear(8, 24)
                self.down_proj = torch.nn.Linear(24, 8)

        sequential = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.GELU(), torch.nn.Linear(32, 8))
        attention = torch.nn.ModuleDict({"qkv": torch.nn.Linear(8, 24), "out": torch.nn.Linear(8, 8)})
        own = torch.nn.ModuleDict({"attention": torch.nn.MultiheadAttention(8, 2), "mlp": sequential})
        bare = torch.nn.ModuleDict({"attention": attention, "fc1": torch.nn.Linear(8, 32), "fc2": torch.nn.Linear(32, 8)})
        of_torch = torch.nn.TransformerEncoderLayer(8, 2, 32)
        blocks = torch.nn.ModuleList([own, bare, of_torch, Gated(), torch.nn.Linear(8, 24)])
        head = torch.nn.Linear(24, 8)
        model = torch.nn.ModuleDict({"tokens": torch.nn.Embedding(9, 8), "blocks": blocks, "head": head})
        expected = ["blocks.0.mlp", "blocks.1.fc1+blocks.1.fc2", "blocks.2", "blocks.3"]
        self.assertEqual(lookupffn.feed_forward_names(model), expected)
        self.assertEqual(lookupffn.feed_forward_names(attention), [])

    def test_feed_forward_names_of_gated_parts(self):
        def linear(**shapes):
            return torch.nn.ModuleDict({name: torch.nn.Linear(*shape, bias=False) for name, shape in shapes.items()})

        gated = linear(w1=(8, 24), w2=(24, 8), w3=(8, 24))
        model = torch.nn.ModuleDict({"0": torch.nn.ModuleDict({"q": torch.nn.Linear(8, 8), "ff": gated})})
        self.assertEqual(lookupffn.feed_forward_names(model), ["0.ff"])
        new = lookupffn.replace(model, ["0.ff"], tables=4, bits=3)["0.ff"]
        self.assertEqual((new.hash.projection.d_in, new.tables.shape[2]), (8, 8))
        # The same without a module of their own: w1 and w2 are not all of it.
        bare = linear(q=(8, 8), w1=(8, 24), w2=(24, 8), w3=(8, 24))
        self.assertEqual(lookupffn.feed_forward_names(torch.nn.ModuleDict({"0": bare})), [])
        normed = torch.nn.ModuleDict({"q": torch.nn.Linear(8, 8), "fc1": torch.nn.Linear(8, 24)})
        normed["norm"], normed["fc2"] = torch.nn.LayerNorm(24), torch.nn.Linear(24, 8)
        model = torch.nn.ModuleDict({"0": normed})
        self.assertEqual(lookupffn.feed_forward_names(model), [])
        with self.assertRaisesRegex(ValueError, "'0.norm' works on what is between"):
            lookupffn.replace(model, ["0.fc1+0.fc2"], tables=4, bits=3)

    def test_captured_memory(self):
        """No more than the rows themselves."""
        model = torch.nn.Sequential(torch.nn.Linear(4, 4))
        x, y = captured(model, ["0"], lambda number: model(torch.full((10, 4), float(number))), 95)["0"]
        self.assertEqual(x[:, 0].tolist(), [float(number) for number in range(10) for _ in range(10)])
        self.assertEqual(tuple(y.shape), (100, 4))
        self.assertLess(len(x.storage()), 110 * 4)
        with self.assertRaisesRegex(ValueError, "named argument"):
            captured(model, ["0"], lambda number: model[0](input=torch.zeros(2, 4)), 5)

    def test_start(self):
        torch.manual_seed(0)
        x = torch.randn(3000, D)
        teacher = FeedForward()
        with torch.no_grad():
            y = teacher(x) * 3
        layer = lookupffn.nn.LookupFFN(D, D, 24, 4)
        left = start_from(layer, x, y)
        other = torch.randn(3000, D)
        with torch.no_grad():
            wanted = teacher(other) * 3
            off = float((layer.eval()(other) - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum())
        self.assertAlmostEqual(off, left, delta=0.08)
        self.assertLess(left, 0.95)
        z = testing.z_of(x, *layer.weights[:4], layer.decay, layer.layer_norm_eps)
        self.assertTrue(((z > 0).float().mean(0) - 0.5).abs().max() < 0.01)

    def test_more_sweeps_leave_less(self):
        torch.manual_seed(0)
        x = torch.randn(3000, D)
        with torch.no_grad():
            y = FeedForward()(x)
        lefts = []
        for sweeps in (1, 3):
            torch.manual_seed(1)
            lefts.append(start_from(lookupffn.nn.LookupFFN(D, D, 24, 4), x, y, sweeps))
        self.assertLess(lefts[1], lefts[0])

    def test_revive(self):
        torch.manual_seed(0)
        layer = lookupffn.nn.LookupFFN(D, D, 6, 4)
        x = torch.randn(2000, D)
        with torch.no_grad():
            layer.hash.projection.bias[5] = 100  # table 1, bit 1: always 1
        self.assertEqual(int((used_rows(layer, x)[1] > 0).sum()), 8)
        before = layer.tables.detach().clone()
        self.assertGreaterEqual(revive(layer, x), 0)
        used = used_rows(layer, x)
        self.assertEqual(int((used[1] > 0).sum()), 16)
        self.assertTrue(torch.equal(layer.tables[0], before[0]))

    def test_revived_rows_are_their_neighbours_mean(self):
        layer = lookupffn.nn.LookupFFN(4, 4, 1, 2, "dense")
        with torch.no_grad():
            # z = the first two values of h; tokens with codes 0, 1, 1 and 3; nobody has 2.
            layer.hash.projection.weight.copy_(torch.eye(2, 4))
            x = torch.tensor([[-3.0, -3, 3, 3], [-3, 3, 3, -3], [-3, 3, -3, 3], [3, 3, -3, -3]])
        self.assertEqual(used_rows(layer, x).tolist(), [[1, 2, 0, 1]])
        expected = (layer.tables[0, 0] + layer.tables[0, 3]).detach() / 2
        self.assertEqual(revive(layer, x), 1)
        torch.testing.assert_close(layer.tables[0, 2].detach(), expected)

    def test_captured_of_a_transformer_of_torch(self):
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
        layer.activation_relu_or_gelu = 0  # not by the fused path
        x = torch.randn(4, 5, 16)
        h, y = captured(torch.nn.Sequential(layer), ["0"], lambda number: layer(x), 20)["0"]
        with torch.no_grad():
            torch.testing.assert_close(layer.norm2(h + y), layer(x).flatten(0, 1))

    def test_captured(self):
        model = dense_model(1)
        found = captured(model, ["blocks.1"], lambda number: model(batches(number)), 600)
        x, y = found["blocks.1"]
        self.assertEqual((x.shape, y.shape), ((768, D), (768, D)))
        with torch.no_grad():
            torch.testing.assert_close(model.blocks[1](x), y)


if __name__ == "__main__":
    if "--fit" in sys.argv:
        torch.set_num_threads(1)
        limit = {"steps": None, "cpu_minutes": 0.2} if "--cpu-minutes" in sys.argv else {}
        fit_in(sys.argv[-1], resume=True, report=lambda line: print(line, flush=True), checkpoint_seconds=0.3, **limit)
    else:
        testing.main()

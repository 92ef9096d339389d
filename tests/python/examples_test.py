"""The examples run as they are printed, the long ones in a shortened form."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import testing

EXAMPLES = os.path.join(testing.SOURCE, "examples", "python")
BYTE_LM = os.path.join(testing.SOURCE, "examples", "byte_lm", "data", "byte_lm_lookup.safetensors")


def run(name, *arguments):
    result = subprocess.run([sys.executable, os.path.join(EXAMPLES, name), *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{name} failed ({result.returncode}):\n{result.stdout}{result.stderr}")
    return result.stdout


class ExamplesTest(unittest.TestCase):
    def test_run_model(self):
        self.assertIn("(5, 256)", run("run_model.py", BYTE_LM))

    def test_python_page_prints_it(self):
        with open(os.path.join(testing.SOURCE, "docs", "python.md"), encoding="utf-8") as file:
            page = file.read()
        with open(os.path.join(EXAMPLES, "run_model.py"), encoding="utf-8") as file:
            self.assertIn(file.read().split('"""\n\n')[1], page)


class TorchExamplesTest(unittest.TestCase):
    def setUp(self):
        try:
            import torch
        except ImportError as error:
            self.skipTest(str(error))
        self.torch = torch
        sys.path.insert(0, EXAMPLES)
        self.addCleanup(sys.path.remove, EXAMPLES)

    def test_python_page(self):
        """Its Python blocks run as printed, but for the place of the file that they write."""
        with open(os.path.join(testing.SOURCE, "docs", "python.md"), encoding="utf-8") as file:
            blocks = re.findall(r"```python\n(.*?)```", file.read(), re.S)
        blocks = [block for block in blocks if "import lookupffn, torch" in block]
        self.assertEqual(len(blocks), 1)
        with tempfile.TemporaryDirectory() as folder:
            names = {}
            exec(blocks[0].replace("/tmp/", folder + "/"), names)
            self.assertEqual(len(names["lookupffn"].Model(folder + "/model.safetensors").layers), 1)

    def test_train_byte_lm(self):
        """Shortened: few steps of a small model; what it writes is a model of the C API and loads again."""
        import byte_lm

        import lookupffn

        with tempfile.TemporaryDirectory() as folder:
            text, out = os.path.join(folder, "text"), os.path.join(folder, "model.safetensors")
            with open(text, "wb") as file:
                file.write(b"To be, or not to be, that is the question. " * 200)
            sizes = ["--d", "32", "--layers", "1", "--tables", "8", "--bits", "4", "--batch", "4", "--steps", "60"]
            printed = run("train_byte_lm.py", "--text", text, "--out", out, *sizes)
            first, last = re.search(r"step 1 .*loss ([\d.]+)", printed), re.search(r"step 60 .*loss ([\d.]+)", printed)
            self.assertLess(float(last.group(1)), 0.7 * float(first.group(1)), printed)
            evaluated = float(re.search(r"packed kernels .*: ([\d.]+)", printed).group(1))
            (shape,) = lookupffn.Model(out).layers
            self.assertEqual((shape.prefix, shape.tables, shape.d_in), ("layer.0.FFN.", 8, 32))
            held_back = byte_lm.read_text(text)[-430:]
            sequences = held_back[: 430 // 129 * 129].view(-1, 129)
            self.assertAlmostEqual(float(byte_lm.load(out).loss(sequences)), evaluated, delta=0.001)

    def test_fit_byte_lm(self):
        """Shortened: a few steps on another text, killed by nobody; the command of the page."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "lookupffn", "fit", os.path.join(EXAMPLES, "fit_byte_lm.py") + ":task"]
            command += ["--folder", folder, "--set", "tables=8", "--set", "bits=4", "--set", "capture_tokens=2048"]
            command += ["--steps", "6", "--set", "distil_part=0.5", "--set", "evaluations=1"]
            environment = {**os.environ, "TEXT": os.path.join(testing.SOURCE, "README.md")}

            def fit(*more, folder=folder):
                result = subprocess.run([*command, *more], capture_output=True, text=True, env=environment)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                written = sorted(os.listdir(folder))
                self.assertEqual(written, ["checkpoint.pt", "curves.svg", "log.jsonl", "model.safetensors"])
                return result.stdout

            self.assertIn("dense loss 3.", fit())  # of the end of README.md, which the model does not know
            self.assertIn("is finished", fit("--resume"))
            with tempfile.TemporaryDirectory() as other:
                self.assertNotIn("dense loss", fit("--scratch", "--folder", other, folder=other))
            mistaken = [
                (command[:4] + ["nowhere.py:task", "--folder", folder], "nowhere.py"),
                (command + ["--set", "capture_tokens=3"], "too little data"),
                (command + ["--set", "which=nothing", "--folder", os.path.join(folder, "other")], "'nothing'"),
                (command + ["--set", "tables"], "NAME=VALUE"),
                (command, "resume"),
            ]
            for wrong, words in mistaken:
                with self.subTest(words):
                    result = subprocess.run(wrong, capture_output=True, text=True, env=environment)
                    self.assertNotEqual(result.returncode, 0)
                    self.assertIn(words, result.stderr)
                    self.assertNotIn("Traceback", result.stderr)
            environment["TEXT"] = os.path.join(testing.SOURCE, "LICENSE")
            tiny = subprocess.run(command, capture_output=True, text=True, env=environment)
            self.assertIn("too few", tiny.stderr)

    def test_a_mistake_in_a_task_keeps_its_traceback(self):
        with tempfile.TemporaryDirectory() as folder:
            task = os.path.join(folder, "task.py")
            with open(task, "w") as file:
                file.write("import torch\ndef task():\n    return dict(model=torch.nn.Linear(2, 2), batches=wrong, which=['']," )
                file.write(" loss=wrong, evaluation=[1])\ndef wrong(*_):\n    return None + 1\n")
            command = [sys.executable, "-m", "lookupffn", "fit", task + ":task", "--folder", os.path.join(folder, "fit")]
            result = subprocess.run(command, capture_output=True, text=True)
            self.assertIn("Traceback", result.stderr)

    def test_the_model_is_that_of_byte_lm(self):
        """The logits and the loss that examples/byte_lm expects of its two models."""
        import byte_lm

        from lookupffn.safetensors_file import load_torch_file

        for name in ("lookup", "dense"):
            with self.subTest(name), self.torch.no_grad():
                data = os.path.join(os.path.dirname(BYTE_LM), f"byte_lm_{name}")
                expected, _ = load_torch_file(data + ".eval.safetensors")
                logits = byte_lm.load(data + ".safetensors")(expected["ids0"][:4].long())
                self.torch.testing.assert_close(logits, expected["logits0"], rtol=1e-3, atol=1e-3)


if __name__ == "__main__":
    testing.main()

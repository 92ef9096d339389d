"""The examples run as they are printed, the long ones in a shortened form."""

import os
import subprocess
import sys
import unittest

import testing

EXAMPLES = os.path.join(testing.SOURCE, "examples", "python")


def run(name, *arguments):
    result = subprocess.run([sys.executable, os.path.join(EXAMPLES, name), *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{name} failed ({result.returncode}):\n{result.stdout}{result.stderr}")
    return result.stdout


class ExamplesTest(unittest.TestCase):
    def test_run_model(self):
        model = os.path.join(testing.SOURCE, "examples", "byte_lm", "data", "byte_lm_lookup.safetensors")
        self.assertIn("(5, 256)", run("run_model.py", model))


if __name__ == "__main__":
    testing.main()

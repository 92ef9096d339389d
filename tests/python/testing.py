"""What the Python tests share."""

import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.dirname(TESTS)
GOLDEN = os.path.join(TESTS, "data", "golden")
FAMILIES = os.path.join(TESTS, "data", "families")


def golden_names():
    """Of the golden cases: NAME.model.safetensors and NAME.io.safetensors each."""
    ending = ".model.safetensors"
    return sorted(name[: -len(ending)] for name in os.listdir(GOLDEN) if name.endswith(ending))


def golden(name, part):
    return os.path.join(GOLDEN, f"{name}.{part}.safetensors")


def need_torch():
    """torch, or the end of the test as skipped."""
    try:
        import torch
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(77)
    return torch


def z_of(x, norm_weight, norm_bias, projection_weight, projection_bias, decay, layer_norm_eps):
    """z of a layer's formulas, for two-dimensional x."""
    from lookupffn import formulas

    h, _, _ = formulas.layer_norm(x, norm_weight, norm_bias, layer_norm_eps)
    return formulas.project(h, projection_weight, projection_bias, decay)[0]


class _Loader(unittest.TestLoader):
    """The classes whose names end in "Slow", or the others."""

    def __init__(self, slow):
        super().__init__()
        self.slow = slow

    def loadTestsFromTestCase(self, case):
        if case.__name__.endswith("Slow") != self.slow:
            return self.suiteClass()
        return super().loadTestsFromTestCase(case)


def main():
    """unittest.main() for the quick tests of a file; with --slow, for the slow ones."""
    slow = "--slow" in sys.argv
    if slow:
        sys.argv.remove("--slow")
    unittest.main(module="__main__", testLoader=_Loader(slow))

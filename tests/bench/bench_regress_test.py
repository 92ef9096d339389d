"""bench/regress: what counts as slower, and mistakes. Builds and times nothing.

Usage: bench_regress_test.py PATH_OF_REGRESS
"""

import importlib.machinery
import importlib.util
import subprocess
import sys
import unittest

SCRIPT = sys.argv.pop(1)
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("regress", SCRIPT)
regress = importlib.util.module_from_spec(importlib.util.spec_from_loader("regress", loader))
loader.exec_module(regress)


class Regress(unittest.TestCase):
    def slower(self, a, b):
        return regress.compare({"x": a}, {"x": b}, 0.05)[1]

    def test_slower_beyond_threshold_and_noise(self):
        self.assertEqual(self.slower([10, 10.1, 9.9, 10], [12, 12.1, 11.9, 12]), ["x"])

    def test_within_threshold(self):
        self.assertEqual(self.slower([10, 10, 10], [10.4, 10.4, 10.4]), [])

    def test_within_noise(self):
        self.assertEqual(self.slower([8, 10, 14, 9], [9, 11.5, 15, 10]), [])

    def test_faster_is_fine(self):
        lines, slower = regress.compare({"x": [10, 10, 10]}, {"x": [5, 5, 5]}, 0.05)
        self.assertEqual(slower, [])
        self.assertIn("faster", lines[0])

    def test_only_in_one(self):
        lines, slower = regress.compare({"x": [1, 1]}, {"y": [1, 1]}, 0.05)
        self.assertEqual(slower, [])
        self.assertIn("only in A", lines[0])
        self.assertIn("only in B", lines[1])

    def test_unknown_revision(self):
        done = subprocess.run([sys.executable, SCRIPT, "no-such-revision", "HEAD"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("no-such-revision", done.stderr)


if __name__ == "__main__":
    unittest.main()

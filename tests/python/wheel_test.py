"""The wheel: what it holds and links, and that the standard front ends make it from a copy of the tree."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import numpy as np
import testing

import lookupffn
from lookupffn import library

TEN_LINES = """
import lookupffn, numpy
model = lookupffn.Model({model!r})
layer = model.pack(model.layers[0].prefix)
print(layer.forward(numpy.ones((3, layer.shape.d_in), numpy.float32)).shape)
"""


def run(*command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed ({result.returncode}):\n{result.stdout}")
    return result.stdout


class WheelTest(unittest.TestCase):
    package = os.path.dirname(lookupffn.__file__)

    def test_it_is_what_is_tested(self):
        self.assertTrue(self.package.startswith(sys.prefix), self.package)
        self.assertTrue(os.path.exists(os.path.join(self.package, "py.typed")))

    def test_what_it_links(self):
        needed = run("readelf", "--dynamic", library.path())
        for name in ("torch", "python", "Halide", "LLVM"):
            self.assertNotIn(name, needed)
        shown = run("nm", "--dynamic", "--defined-only", library.path())
        names = {line.split()[-1].split("@")[0] for line in shown.splitlines()}
        versions = {line.split()[-1] for line in shown.splitlines() if line.split()[1] == "A"}  # of symbols: LOOKUPFFN_0.2
        self.assertEqual({name for name in names - versions if not name.startswith("lookupffn_")}, set())
        self.assertLessEqual(set(library.FUNCTIONS), names)

    def test_size(self):
        size = sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(self.package) for name in names)
        self.assertLess(size, 15e6)

    def test_kernels_for_a_model(self):
        """The tool of the wheel makes kernels, and a layer runs on them."""
        path = testing.golden("dense_d8_t1_b1", "model")
        with tempfile.TemporaryDirectory() as folder:
            isa = lookupffn.active_isa()
            tool = os.path.join(sys.prefix, "bin", "lookupffn")
            environment = {name: value for name, value in os.environ.items() if name != "LOOKUPFFN_GENERATOR"}
            run(tool, "build", path, "--isa", isa, "--out", os.path.join(folder, "kernels"), env=environment)
            self.assertEqual(lookupffn.load_kernels(os.path.join(folder, "kernels")), 1)
            model = lookupffn.Model(path)
            layer = model.pack(kernels="specialised")
            self.assertTrue(layer.info.specialised)
            x = np.random.default_rng(0).standard_normal((5, 8), np.float32)
            np.testing.assert_allclose(layer.forward(x), model.pack(kernels="generic").forward(x), rtol=1e-4, atol=1e-6)
        usage = run(sys.executable, "-m", "lookupffn", "--help")
        self.assertIn("build", usage)


def left_out(folder, names):
    """Of a copy of the tree: what git does not have."""
    top = folder == testing.SOURCE
    return [name for name in names if name == "__pycache__" or top and (name == ".git" or name.startswith("build"))]


class FromSourceSlow(unittest.TestCase):
    """A copy of the tree, the front ends, and an environment without anything else."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.tree = os.path.join(self.folder, "tree")
        shutil.copytree(testing.SOURCE, self.tree, ignore=left_out)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("LOOKUPFFN_WHEEL")}

    def new_environment(self, name):
        path = os.path.join(self.folder, name)
        run(os.path.realpath(sys.executable), "-m", "venv", "--system-site-packages", path)
        return os.path.join(path, "bin", "python3")

    def try_it(self, python):
        lines = TEN_LINES.format(model=testing.golden("bh4_d64_t40_b4", "model"))
        self.assertIn("(3, 64)", run(python, "-c", lines, cwd=self.folder))

    def test_pip_and_build(self):
        python = self.new_environment("by_pip")
        run(python, "-m", "pip", "install", "--no-index", self.tree, env=self.environment)
        self.try_it(python)
        system = os.path.realpath(sys.executable)
        run(system, "-m", "build", "--wheel", "--no-isolation", self.tree, env=self.environment)
        (wheel,) = os.listdir(os.path.join(self.tree, "dist"))
        self.assertRegex(wheel, r"^lookupffn-[0-9.]+-py3-none-linux_\w+\.whl$")
        wheel = os.path.join(self.tree, "dist", wheel)
        with zipfile.ZipFile(wheel) as archive:
            self.assertIsNone(archive.testzip())
        python = self.new_environment("by_build")
        run(python, "-m", "pip", "install", "--no-index", wheel)
        self.try_it(python)


if __name__ == "__main__":
    testing.main()

"""lookupffn_compare: it runs every family's smallest workload, its JSON has every field, its picture is well-formed, mistakes
are one clear line. Nothing here asserts a time.

Usage: bench_compare_test.py PATH_OF_LOOKUPFFN_COMPARE SOURCE_FOLDER
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM, SOURCES = sys.argv.pop(1), sys.argv.pop(1)
FIELDS = {
    "family": str, "workload": str, "codes": str, "unit": str, "tokens": int, "threads": int, "isa": str, "table_type": str, "projection_type": str,
    "contender": str, "part": str, "us_per_token": float, "spread": float, "gflops": float,
    "gbytes_per_s": float, "bound": float, "bound_fraction": float, "bound_by": str, "schedule": str,
}


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300)


def rows_of(path, macro):
    with open(os.path.join(SOURCES, path)) as file:
        return re.findall(rf"^{macro}\((\w+), *\"([^\"]*)\"", file.read(), re.MULTILINE)


def smallest_workload(family):
    def elements(shape):
        numbers = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", shape)}
        rows = numbers["rows"] if "rows" in numbers else 2 ** numbers.get("bits", 8)
        return rows * numbers.get("tables", 1) * numbers.get("d_out", numbers.get("d_in", 1))
    return min(rows_of(f"generators/{family}/workloads.def", "LOOKUPFFN_WORKLOAD"), key=lambda row: elements(row[1]))[0]


class Compare(unittest.TestCase):
    def check_error(self, words, *arguments):
        done = run(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.splitlines() if not line.startswith("skipped ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(words, lines[0])

    def check_fields(self, results):
        for result in results:
            for field, kind in FIELDS.items():
                self.assertIsInstance(result[field], (int, float) if kind is float else kind, field)
            for field in ("us_per_token", "gflops"):
                self.assertGreater(result[field], 0, result)
            if result["part"] == "all":  # a hash may read nothing but its input
                self.assertGreater(result["gbytes_per_s"], 0, result)
                self.assertGreater(result["bound"], 0, result)

    def test_every_family(self):
        families = [name for name, _ in rows_of("registry/families.def", "LOOKUPFFN_FAMILY")]
        self.assertIn("lookupffn", families)
        for family in families:
            with self.subTest(family=family), tempfile.TemporaryDirectory() as folder:
                workload, path = smallest_workload(family), os.path.join(folder, "r.json")
                done = run("--workload", workload, "--tokens", "1,3", "--samples", "1", "--json", path)
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(path) as file:
                    results = json.load(file)
                self.check_fields(results)
                self.assertEqual({(result["family"], result["workload"]) for result in results}, {(family, workload)})
                self.assertEqual({result["tokens"] for result in results}, {1, 3})
                ours = [result for result in results if result["contender"] == "lookupffn"]
                # The build makes kernels for every workload.
                self.assertIn("specialised", done.stdout)
                self.assertNotIn("fallback", done.stdout)
                self.assertRegex(done.stdout, "set for all: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 .*glibc.malloc.hugetlb=1")
                self.assertIn("all", {result["part"] for result in ours})
                # Somebody else takes part, or is said to be missing.
                others = {result["contender"] for result in results} - {"lookupffn"}
                self.assertTrue(others or "skipped " in done.stderr, done.stderr)

    def test_shape_in_place_of_a_name(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.json")
            shape = "family=fff d_in=40 d_out=24 rows=15 tables=2"
            done = run("--workload", shape, "--tokens", "2", "--samples", "1", "--contender", "lookupffn", "--json", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path) as file:
                results = json.load(file)
            self.assertEqual({result["workload"] for result in results}, {shape})
            self.assertEqual({result["part"] for result in results}, {"all", "hash", "gather"})

    # A leaf has a network of its own: there is nothing to gather.
    def test_leaves(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.json")
            done = run("--workload", "family=fff d_in=40 d_out=24 rows=8 block=12", "--tokens", "2", "--samples", "1",
                       "--contender", "lookupffn", "--json", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path) as file:
                self.assertEqual({result["part"] for result in json.load(file)}, {"all", "hash"})

    def test_json_and_plot(self):
        with tempfile.TemporaryDirectory() as folder:
            json_path, plot_path = os.path.join(folder, "r.json"), os.path.join(folder, "r.svg")
            done = run("--workload", "small512_t64", "--tokens", "1,5", "--samples", "2", "--table-type", "f32,i8",
                       "--codes", "skewed", "--json", json_path, "--plot", plot_path)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(json_path) as file:
                results = json.load(file)
            with open(plot_path) as file:
                picture = xml.etree.ElementTree.parse(file).getroot()
            self.assertEqual(sorted(os.listdir(folder)), ["r.json", "r.svg"])  # no temporaries left
        ours = set()
        self.check_fields(results)
        for result in results:
            self.assertEqual(result["workload"], "small512_t64")
            if result["contender"] == "lookupffn":
                ours.add((result["tokens"], result["table_type"], result["part"]))
        self.assertEqual(ours, {(tokens, table, part) for tokens in (1, 5) for table in ("f32", "i8")
                                for part in ("all", "hash", "gather")})
        text = " ".join(node.text or "" for node in picture.iter())
        self.assertIn("lookupffn i8", text)
        self.assertIn("5 tokens a call", text)
        self.assertIn("lookupffn i8", done.stdout)

    def test_chosen_contenders_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.json")
            done = run("--workload", "small512_t64_dense", "--tokens", "3", "--samples", "1", "--contender", "lookupffn",
                       "--json", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path) as file:
                self.assertEqual({result["contender"] for result in json.load(file)}, {"lookupffn"})

    def test_mistakes(self):
        self.check_error("unknown contender 'onednn'; of family lookupffn there are lookupffn, onednn_f32", "--contender", "onednn")
        self.check_error("unknown contender 'libxsmm'; of family fff there are lookupffn", "--contender", "libxsmm",
                         "--workload", "ultrafastbert_1x11")
        self.check_error("there is no workload 'huge': it is one of small512_t128", "--workload", "huge")
        self.check_error("unknown codes 'skewed'; of family embedding_bag there are random", "--codes", "skewed",
                         "--workload", smallest_workload("embedding_bag"))
        self.check_error("there is no table type 'i3'; there are f32, bf16, i8, i4", "--table-type", "i3")
        self.check_error("there is no projection type 'i8'; there are f32, bf16", "--projection-type", "i8")
        self.check_error("unknown codes 'even'; of family lookupffn there are random, skewed", "--codes", "even")
        for option, least, most in (("--tokens", "1", "1048576"), ("--threads", "1", "4096"), ("--samples", "1", "100000")):
            for bad in ("-1", "0", "010", "18446744073709551616", "nan", "3x"):
                self.check_error(f"'{bad}' is not a whole number from {least} to {most}", f"{option}={bad}")
        for option in ("--isa", "--library", "--json", "--plot"):
            self.check_error("empty", option, "")
        self.check_error("no-isa", "--isa", "no-isa", "--contender", "onednn_f32")  # which takes none
        self.check_error("--threads 4096: this process may use", "--threads", "4096")
        self.check_error("nosuch", "--isa", "nosuch", "--tokens", "1", "--samples", "1", "--workload", "small512_t64")

    def test_full_standard_output(self):
        timing = ("--workload", "small512_t64", "--tokens", "1", "--samples", "1", "--contender", "lookupffn")
        for arguments in (("--help",), timing):
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("standard output", done.stderr)

    def test_unwritable_output(self):
        done = run("--workload", "small512_t64", "--tokens", "1", "--samples", "1", "--contender", "lookupffn",
                   "--json", "/nonexistent-folder/r.json")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("/nonexistent-folder/r.json", done.stderr)


if __name__ == "__main__":
    unittest.main()

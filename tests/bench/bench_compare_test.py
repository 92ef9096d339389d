"""lookupffn_compare: its JSON has every field, its picture is well-formed, mistakes are one clear line.

Usage: bench_compare_test.py PATH_OF_LOOKUPFFN_COMPARE
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM = sys.argv.pop(1)
FIELDS = {
    "workload": str, "tokens": int, "threads": int, "isa": str, "table_type": str, "projection_type": str,
    "contender": str, "part": str, "us_per_token": float, "spread": float, "gflops": float,
    "gbytes_per_s": float, "bound": float, "bound_fraction": float, "bound_by": str, "schedule": str,
}


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300)


class Compare(unittest.TestCase):
    def check_error(self, words, *arguments):
        done = run(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.splitlines() if not line.startswith("skipped ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(words, lines[0])

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
        for result in results:
            for field, kind in FIELDS.items():
                self.assertIsInstance(result[field], (int, float) if kind is float else kind, field)
            self.assertGreater(result["us_per_token"], 0)
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
        self.check_error("unknown contender 'onednn'; there are lookupffn, onednn_f32", "--contender", "onednn")
        self.check_error("unknown workload 'huge'; there are small512_t128", "--workload", "huge")
        self.check_error("there is no table type 'i3'; there are f32, bf16, i8, i4", "--table-type", "i3")
        self.check_error("there is no projection type 'i8'; there are f32, bf16", "--projection-type", "i8")
        self.check_error("unknown codes 'even'; there are random, skewed", "--codes", "even")
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

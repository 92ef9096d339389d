#!/usr/bin/env python3
"""Disassembles objects, and fails where one holds an instruction that is not of the architecture's baseline.

What the baseline has is GNU's assembler's knowledge: each instruction goes through it with -march=BASELINE. Those that are
allowed beyond that are in ALLOWED, with the reason.
"""

import argparse
import re
import subprocess
import sys

# (instruction, function that may hold it or None for any): why no CPU fails at it.
ALLOWED = {
    ("xgetbv", "lookupffn::(anonymous namespace)::read_xcr0()"): "called where CPUID says that the operating system allows it",
    ("tzcnt", None): "`rep bsf`, which older CPUs run as bsf; compilers use it where the two agree, for operands that are not 0",
    ("endbr64", None): "a hint, which older CPUs run as a long nop",
}
# Prefixes that x86 fills gaps with, and that the assembler does not take back: `data16 data16 cs nopw 0x0(%rax,%rax,1)`.
PADDING = re.compile(r"^((data16|cs|rex\.W) )+")


def instructions(objdump, objects):
    """Yields (instruction as assembler text, object, function)."""
    command = [objdump, "-d", "-C", "--no-show-raw-insn", "--no-addresses", *objects]
    x86 = b"x86" in subprocess.run([objdump, "-f", objects[0]], check=True, capture_output=True).stdout
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    object_name = function = None
    for line in process.stdout:
        if line.startswith("\t"):
            text = re.sub(r"<.*>", "0", line)  # a jump's target
            text = re.sub(r"\s*#.*" if x86 else r"\s*//.*", "", text)
            yield PADDING.sub("", " ".join(text.split())), object_name, function
        elif line.startswith("<"):
            function = line.rstrip()[1:-2]
        elif "file format" in line:
            object_name = line.split(":")[0]
    if process.wait() != 0:
        sys.exit(f"baseline_test: {objdump} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objdump", required=True)
    parser.add_argument("--as", dest="assembler", required=True)
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--list", help="file with the name of an object a line")
    parser.add_argument("objects", nargs="*")
    arguments = parser.parse_args()
    objects = arguments.objects
    if arguments.list:
        objects += open(arguments.list).read().split("\n")
    objects = [name for name in objects if name]
    if not objects:
        sys.exit("baseline_test: no objects")

    places = {}  # an instruction: the functions that hold it
    count = 0
    for text, object_name, function in instructions(arguments.objdump, objects):
        count += 1
        places.setdefault(text, set()).add((object_name, function))
    if count < 10:
        sys.exit(f"baseline_test: {count} instructions in {len(objects)} objects: nothing was looked at")

    texts = list(places)
    assembled = subprocess.run([arguments.assembler, f"-march={arguments.baseline}", "-o", "/dev/null", "-"],
                               input="\n".join(texts) + "\n", capture_output=True, text=True)
    bad = []
    for line, message in re.findall(r":(\d+): Error: (.*)", assembled.stderr):
        text = texts[int(line) - 1]
        mnemonic = text.split()[0]
        for object_name, function in sorted(places[text]):
            if (mnemonic, function) not in ALLOWED and (mnemonic, None) not in ALLOWED:
                bad.append(f"{text} (in {object_name}, {function}): {message}")
    if assembled.returncode != 0 and ": Error: " not in assembled.stderr:
        sys.exit(f"baseline_test: {arguments.assembler} failed:\n{assembled.stderr}")
    if bad:
        sys.exit("\n".join(bad[:50]) + f"\nbaseline_test: {len(bad)} instructions are not of the baseline {arguments.baseline}. "
                 "Put them into kernels, or into a function that is called where the CPU has them, and add that to ALLOWED")
    print(f"{count} instructions of {len(objects)} objects ({len(texts)} different ones): all of {arguments.baseline}")


main()

#!/usr/bin/env python3
"""abi_test.py LIBRARY SYMBOLS NM READELF: the shared library has the name and the symbols of the file SYMBOLS, no more and no less.

SYMBOLS is of Debian's form (deb-symbols(5)): a line with the library's SONAME, then a line ` NAME@VERSION RELEASE` for each symbol,
with the release that it first was in. Packages take it along, so that programs depend on the release that they need.
"""

import re
import subprocess
import sys

library, symbols_file, nm, readelf = sys.argv[1:]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


lines = open(symbols_file).read().splitlines()
expected_soname = lines[0].split()[0]
expected = {line.split()[0] for line in lines[1:]}
soname = re.search(r"\(SONAME\).*\[(.*)\]", output(readelf, "--wide", "--dynamic", library)).group(1)
found = set()
for line in output(nm, "--dynamic", "--defined-only", "--with-symbol-versions", library).splitlines():
    kind, name = line.split()[-2:]
    # A version is a symbol of its own, an absolute one.
    found.add(f"{name}@{name}" if kind == "A" else name.replace("@@", "@"))

problems = []
if soname != expected_soname:
    problems.append(f"its SONAME is {soname}, the file says {expected_soname}")
problems += [f"{name} is new: add the line ` {name} RELEASE`, with the release that will have it" for name in sorted(found - expected)]
problems += [f"{name} is gone, and programs that use it stop working: that takes a new ABI (docs/versioning.md)"
             for name in sorted(expected - found)]
if len(expected) < 2:
    problems.append("the file has no symbols")
if problems:
    sys.exit(f"{library} and {symbols_file} differ:\n" + "\n".join(problems))
print(f"{soname}: {len(found)} symbols")

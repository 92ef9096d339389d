#!/usr/bin/env python3
"""wheel_contents.py FOLDER CPU: the wheel in FOLDER is for CPU (as `uname -m` says it), whole, small, and links what it may.

It does not run the wheel, so it serves one for another machine too.
"""

import base64
import csv
import glob
import hashlib
import io
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile

MOST_BYTES = 15e6  # installed
ELF_MACHINES = {"x86_64": 62, "aarch64": 183, "riscv64": 243}
EVERYWHERE = re.compile(r"(libc|libm|libdl|libpthread|libstdc\+\+|libgcc_s|ld-linux[-\w]*)\.so\.\d+")


def needed(data):
    """The libraries that an ELF file asks for."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        shown = subprocess.run(["readelf", "--wide", "--dynamic", file.name], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", shown)


def problems_of(wheel, cpu):
    tag = f"py3-none-linux_{cpu}"
    version = re.fullmatch(rf"lookupffn-([0-9.]+)-{tag}\.whl", os.path.basename(wheel))
    if not version:
        yield f"its name is not lookupffn-VERSION-{tag}.whl"
        return
    info = f"lookupffn-{version.group(1)}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
        executable = {entry.filename for entry in archive.infolist() if entry.external_attr >> 16 & 0o111}

    if f"Tag: {tag}\n" not in files[f"{info}/WHEEL"].decode():
        yield f"{info}/WHEEL does not say Tag: {tag}"
    size = sum(map(len, files.values()))
    if size >= MOST_BYTES:
        yield f"it has {size} bytes installed, and {MOST_BYTES:.0f} are too many"

    recorded = {}
    for name, digest, length in csv.reader(io.StringIO(files[f"{info}/RECORD"].decode())):
        recorded[name] = (digest, length)
    if set(recorded) != set(files):
        yield f"RECORD and the archive differ in {sorted(set(recorded) ^ set(files))}"
    for name in set(recorded) & set(files) - {f"{info}/RECORD"}:
        digest = "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        if recorded[name] != (digest, str(len(files[name]))):
            yield f"RECORD is wrong of {name}"

    library = "lookupffn/native/lib/liblookupffn.so"
    programs = [name for name, data in files.items() if data.startswith(b"\x7fELF")]
    for name in ("lookupffn/__init__.py", "lookupffn/py.typed", library):
        if name not in files:
            yield f"there is no {name}"
    if library not in programs:
        yield f"{library} is no ELF file"
    for name in programs:
        (machine,) = struct.unpack("<H", files[name][18:20])
        if machine != ELF_MACHINES[cpu]:
            yield f"{name} is for ELF machine {machine}, not {cpu}"
        if b"\0.symtab\0" in files[name]:
            yield f"{name} is not stripped"
        if name != library and name not in executable:
            yield f"{name} cannot be executed"
    if library in programs:
        for other in needed(files[library]):
            if not EVERYWHERE.fullmatch(other):
                yield f"{library} needs {other}"
    print(f"{os.path.basename(wheel)}: {os.path.getsize(wheel)} bytes, {size} installed, {len(files)} files, ELF: {programs}")


def main(folder, cpu):
    wheels = glob.glob(os.path.join(folder, "*.whl"))
    if len(wheels) != 1:
        sys.exit(f"{folder} has {len(wheels)} wheels, not one")
    problems = list(problems_of(wheels[0], cpu))
    if problems:
        sys.exit(f"{wheels[0]}:\n" + "\n".join(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])

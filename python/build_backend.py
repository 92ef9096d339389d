"""Builds the wheel: a PEP 517 backend that needs CMake, a C++ compiler and Halide, and no Python package.

`pip install .` and `python3 -m build --wheel --no-isolation` call it. Environment variables:

CMAKE_ARGS, CMAKE_GENERATOR: for CMake, as other packages have them; a toolchain file makes a wheel for another machine.
LOOKUPFFN_WHEEL_BUILD: the build folder (default build/wheel). One that is configured already is used as it is.
LOOKUPFFN_KERNEL_CACHE: a folder that keeps generated kernels, which makes the next build quick.
"""

import base64
import hashlib
import os
import re
import shlex
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(SOURCE, "python", "lookupffn")


def get_requires_for_build_wheel(config_settings=None):
    return []


def get_requires_for_build_sdist(config_settings=None):
    return []


def project():
    """[project] of pyproject.toml, with the version of CMakeLists.txt."""
    import tomllib  # Python 3.11

    with open(os.path.join(SOURCE, "pyproject.toml"), "rb") as file:
        found = tomllib.load(file)["project"]
    with open(os.path.join(SOURCE, "CMakeLists.txt"), encoding="utf-8") as file:
        found["version"] = re.search(r"project\(lookupffn VERSION ([0-9.]+)", file.read()).group(1)
    return found


def metadata():
    """The text of METADATA."""
    described = project()
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {described['name']}",
        f"Version: {described['version']}",
        f"Summary: {described['description']}",
        f"License: {described['license']['text']}",
        f"Requires-Python: {described['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in described["dependencies"]),
    ]
    for extra, requirements in described["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += (f"Requires-Dist: {requirement} ; extra == '{extra}'" for requirement in requirements)
    with open(os.path.join(SOURCE, described["readme"]), encoding="utf-8") as file:
        return "\n".join([*lines, "Description-Content-Type: text/markdown", "", file.read()])


def entry_points():
    """The text of entry_points.txt."""
    return "".join(["[console_scripts]\n", *(f"{name} = {target}\n" for name, target in project()["scripts"].items())])


def run(*command):
    print("+", shlex.join(command), flush=True)
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise SystemExit(f"lookupffn: there is no {command[0]} here; install it (Debian: apt install {command[0]})") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"lookupffn: {shlex.join(command)} failed ({error.returncode}); its output is above") from None


def build_native(target):
    """Builds what is compiled and installs it into the folder `target`."""
    build = os.environ.get("LOOKUPFFN_WHEEL_BUILD") or os.path.join(SOURCE, "build", "wheel")
    if not os.path.exists(os.path.join(build, "CMakeCache.txt")):
        generator = ["-G", "Ninja"] if shutil.which("ninja") and not os.environ.get("CMAKE_GENERATOR") else []
        parts = [f"-DLOOKUPFFN_BUILD_{part}=OFF" for part in ("TESTS", "BENCH", "EXAMPLES")]
        arguments = shlex.split(os.environ.get("CMAKE_ARGS", ""))
        run("cmake", "-S", SOURCE, "-B", build, *generator, "-DCMAKE_BUILD_TYPE=Release", *parts, *arguments)
    run("cmake", "--build", build, "--parallel", str(os.cpu_count() or 1), "--target", "lookupffn_wheel")
    run("cmake", "--install", build, "--component", "python", "--prefix", target, "--strip")


# e_machine of an ELF file -> what wheels call the machine.
MACHINES = {3: "i686", 62: "x86_64", 183: "aarch64", 243: "riscv64"}


def platform_of(library):
    """The wheel's platform: the machine that `library` was built for."""
    with open(library, "rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF":
        raise SystemExit(f"lookupffn: {library} is no ELF library; wheels are made for Linux")
    (machine,) = struct.unpack("<H", header[18:20])
    if machine not in MACHINES:
        raise SystemExit(f"lookupffn: {library} is for machine {machine}, which build_backend.py has no wheel's name for")
    return f"linux_{MACHINES[machine]}"


def files_below(folder):
    """(path, name below `folder`) of each file, in a fixed order."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = os.path.join(root, name)
            yield path, os.path.relpath(path, folder)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    described = project()
    with tempfile.TemporaryDirectory() as native:
        build_native(native)
        tag = "py3-none-" + platform_of(os.path.join(native, "lib", "liblookupffn.so"))
        stem = f"{described['name']}-{described['version']}"
        wheel = f"Wheel-Version: 1.0\nGenerator: lookupffn build_backend\nRoot-Is-Purelib: false\nTag: {tag}\n"
        with open(os.path.join(SOURCE, "LICENSE"), encoding="utf-8") as file:
            texts = {"METADATA": metadata(), "WHEEL": wheel, "entry_points.txt": entry_points(), "LICENSE": file.read()}

        content = [(f"lookupffn/{name}", path) for path, name in files_below(PACKAGE) if not name.startswith("native")]
        content += [(f"lookupffn/native/{name}", path) for path, name in files_below(native)]
        record, file_name = [], f"{stem}-{tag}.whl"
        temporary = os.path.join(wheel_directory, file_name + ".part")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:

            def add(name, data, executable=False):
                # A fixed date: the same content makes the same bytes.
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.external_attr = (0o100755 if executable else 0o100644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                record.append(f"{name},sha256={digest},{len(data)}\n")

            for name, path in content:
                with open(path, "rb") as file:
                    add(name, file.read(), os.access(path, os.X_OK))
            for name, text in texts.items():
                add(f"{stem}.dist-info/{name}", text.encode())
            record.append(f"{stem}.dist-info/RECORD,,\n")
            archive.writestr(zipfile.ZipInfo(f"{stem}.dist-info/RECORD", (1980, 1, 1, 0, 0, 0)), "".join(record))
        os.replace(temporary, os.path.join(wheel_directory, file_name))
    return file_name


def build_sdist(sdist_directory, config_settings=None):
    """The tree as git has it."""
    described = project()
    stem = f"{described['name']}-{described['version']}"
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode != 0:
        raise SystemExit("lookupffn: a source distribution is made of a git checkout, and this is none")
    with tarfile.open(os.path.join(sdist_directory, stem + ".tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name in filter(None, listed.stdout.split("\0")):
            archive.add(os.path.join(SOURCE, name), f"{stem}/{name}")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "PKG-INFO")
            with open(path, "w", encoding="utf-8") as file:
                file.write(metadata())
            archive.add(path, f"{stem}/PKG-INFO")
    return stem + ".tar.gz"

#!/usr/bin/env python3
"""Makes a wheel of the tree and installs it: make_environment.py [--wheel-only] ENVIRONMENT

The wheel is made of the build folder that LOOKUPFFN_WHEEL_BUILD names, in ENVIRONMENT.wheels. ENVIRONMENT becomes a new virtual
environment that sees the system's packages and has the wheel in it. --wheel-only: it is for another machine, and not installed."""

import os
import shutil
import subprocess
import sys
import venv

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(environment, wheel_only):
    wheels = environment + ".wheels"
    for folder in (environment, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, SOURCE], check=True)
    if wheel_only:
        return
    venv.create(environment, system_site_packages=True, with_pip=True)
    (wheel,) = os.listdir(wheels)
    pip = [os.path.join(environment, "bin", "python3"), "-m", "pip", "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, os.path.join(wheels, wheel)], check=True)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[-1]), sys.argv[1] == "--wheel-only")

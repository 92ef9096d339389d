"""`python3 -m lookupffn ...` and the command `lookupffn`: the tool that the wheel brings along."""

from __future__ import annotations

import os
import sys

from .library import NATIVE


def main() -> None:
    """Runs the tool in place of this process."""
    tool = os.path.join(NATIVE, "bin", "lookupffn")
    if not os.access(tool, os.X_OK):
        sys.exit("lookupffn: this wheel was built without the tool; build it where Halide is installed")
    os.execv(tool, ["lookupffn", *sys.argv[1:]])


if __name__ == "__main__":
    main()

"""`python3 -m lookupffn ...` and the command `lookupffn`: `fit`, and all commands of the tool that is in the wheel."""

from __future__ import annotations

import argparse
import ast
import os
import runpy
import sys
import traceback

from .library import NATIVE, Error

FIT = """Puts LookupFFN layers in place of a trained model's feed-forward layers: lookupffn.fit().

TASK is FILE.py:FUNCTION. FUNCTION() returns a dict of lookupffn.fit's arguments: model, batches, which, loss, and optionally
others (forward, evaluation, tables, ...); for --scratch also `untrained`, a function that returns a new model."""


def setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        if equals and value.isidentifier():
            return name, value
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE with a number, a word or a Python literal") from None


def _is_own(error: BaseException) -> bool:
    """Whether this package raised it, not the task: its text then says all."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return os.path.abspath(frame.f_code.co_filename).startswith(os.path.dirname(os.path.abspath(__file__)) + os.sep)


def fit(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="lookupffn fit", description=FIT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", metavar="TASK", help="FILE.py:FUNCTION")
    parser.add_argument("--folder", required=True, help="gets checkpoint.pt, log.jsonl, curves.svg and model.safetensors")
    parser.add_argument("--minutes", type=float, help="end after this many minutes (default: 60)")
    parser.add_argument("--cpu-minutes", type=float, help="end after this many minutes of CPU time, of all threads together")
    parser.add_argument("--steps", type=int, help="end after this many steps")
    parser.add_argument("--scratch", action="store_true", help="train the task's untrained model, to compare with")
    parser.add_argument("--compare", metavar="FOLDER", help="of a training with --scratch, whose curve is added to the picture")
    parser.add_argument("--threads", type=int, help="of torch (default: one per core)")
    parser.add_argument("--resume", action="store_true", help="continue from the folder's checkpoint")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", type=setting, action="append", default=[], help="an argument of fit: tables=128"
    )
    options = parser.parse_args(arguments)
    path, _, function = options.task.rpartition(":")
    if not os.path.isfile(path):
        parser.error(f"TASK is '{options.task}'; there is no file '{path}'")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    names = runpy.run_path(path)
    if not callable(names.get(function)):
        parser.error(f"{path} has no function '{function}'")
    import torch

    from .fitting import FitError
    from .fitting import fit as run

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        task = names[function]()
        untrained = task.pop("untrained", None)
        if options.scratch:
            if untrained is None:
                raise ValueError(f"{function}() has no 'untrained', a function that returns a new model, which --scratch needs")
            task["model"] = untrained()
        limits = ("minutes", "cpu_minutes", "steps")
        given = {name: getattr(options, name) for name in limits if getattr(options, name) is not None}
        if given:  # on the command line, in place of the task's
            task = {name: value for name, value in task.items() if name not in limits}
        run(
            folder=options.folder,
            resume=options.resume,
            scratch=options.scratch,
            compare=options.compare,
            **{**task, **given, **dict(options.set)},
        )
    except FitError as error:
        sys.exit(f"lookupffn fit: {error}")
    except (Error, ValueError, TypeError) as error:
        if not _is_own(error):
            raise
        sys.exit(f"lookupffn fit: {error}")
    except KeyboardInterrupt:
        sys.exit("lookupffn fit: stopped; --resume goes on from here")


def main() -> None:
    """Runs fit, or replaces this process by the tool."""
    if sys.argv[1:2] == ["fit"]:
        return fit(sys.argv[2:])
    tool = os.path.join(NATIVE, "bin", "lookupffn")
    if not os.access(tool, os.X_OK):
        sys.exit("lookupffn: this wheel was built without the tool; build it where Halide is installed")
    os.execv(tool, ["lookupffn", *sys.argv[1:]])


if __name__ == "__main__":
    main()

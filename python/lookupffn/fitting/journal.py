"""The folder of a fit: checkpoints and the log, which a killed process leaves whole."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import Any, Iterator

import torch


class Journal:
    """checkpoint.pt: the last good state. log.jsonl: one JSON object a line, in the order of the steps.

    The log may be ahead of the checkpoint, by the steps that a killed process did after it. `replayed` holds their entries: who
    does these steps again passes them to log() again, which compares them and writes only what is new.
    """

    def __init__(self, folder: str | os.PathLike[str], create: bool = True) -> None:
        """create: makes the folder. Else raises ValueError where there is no log."""
        self.folder = os.fspath(folder)
        self.log_path = os.path.join(self.folder, "log.jsonl")
        if create:
            os.makedirs(self.folder, exist_ok=True)
        elif not os.path.isfile(self.log_path):
            raise ValueError(f"{self.folder} has no log of a fit")
        self.checkpoint_path = os.path.join(self.folder, "checkpoint.pt")
        self.replayed: list[dict[str, Any]] = []
        self._replayed_bytes: list[int] = []

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """In its block no other process or object has the folder. Raises ValueError where one has."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(f"{self.folder}: another fit is at work there") from None
            yield
        finally:
            os.close(folder)

    def stage(self) -> str | None:
        """The stage and step of the checkpoint, in words; None: there is none."""
        if not os.path.exists(self.checkpoint_path):
            return None
        state = torch.load(self.checkpoint_path)
        return "finished" if state["stage"] == "done" else f"{state['stage']}, step {state['step']}"

    def begin(self) -> None:
        """An empty log and no checkpoint."""
        if os.path.exists(self.checkpoint_path):
            os.unlink(self.checkpoint_path)
        with open(self.log_path, "w"):
            pass

    def log(self, entry: dict[str, Any]) -> None:
        """Appends an entry, or finds it to be the next one that is there already. Where a step that is done again has another
        result, after a change of torch for instance, the entries from there on are dropped."""
        if self.replayed:
            known, size = self.replayed.pop(0), self._replayed_bytes.pop(0)
            if _without_times(known) == _without_times(entry):
                return
            self.drop_replayed(size)
        with open(self.log_path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        with open(self.log_path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint, all of it or nothing. Not while there are entries to replay."""
        temporary = self.checkpoint_path + ".part"
        with open(temporary, "wb") as file:
            torch.save({**state, "log_bytes": os.path.getsize(self.log_path)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.checkpoint_path)

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint, None if there is none. What the log has after it is in `replayed`; a line that a kill cut off is
        dropped."""
        if not os.path.exists(self.checkpoint_path):
            return None
        state = torch.load(self.checkpoint_path)
        with open(self.log_path, "r+b") as file:
            file.seek(state["log_bytes"])
            at = state["log_bytes"]
            for line in file.read().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                self.replayed.append(json.loads(line))
                self._replayed_bytes.append(at)
                at += len(line)
            file.truncate(at)
        return state

    def drop_replayed(self, size: int | None = None) -> None:
        """Cuts the log off after `size` bytes, or before the first entry of `replayed`."""
        if size is None and self.replayed:
            size = self._replayed_bytes[0]
        if size is not None:
            os.truncate(self.log_path, size)
        self.replayed, self._replayed_bytes = [], []


def _without_times(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in TIMES}


TIMES = ("seconds", "cpu_seconds", "share")
"""What of an entry is not the same when a step is done again."""

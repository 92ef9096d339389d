"""The folder of a fit: checkpoints and the log, which a killed process leaves whole."""

from __future__ import annotations

import json
import os
from typing import Any

import torch


class Journal:
    """checkpoint.pt: the last good state. log.jsonl: one JSON object a line, in the order of the steps."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.log_path = os.path.join(self.folder, "log.jsonl")
        self.checkpoint_path = os.path.join(self.folder, "checkpoint.pt")

    def begin(self) -> None:
        """An empty log and no checkpoint."""
        if os.path.exists(self.checkpoint_path):
            os.unlink(self.checkpoint_path)
        with open(self.log_path, "w"):
            pass

    def log(self, entry: dict[str, Any]) -> None:
        with open(self.log_path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        with open(self.log_path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint, all of it or nothing."""
        temporary = self.checkpoint_path + ".part"
        with open(temporary, "wb") as file:
            torch.save({**state, "log_bytes": os.path.getsize(self.log_path)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.checkpoint_path)

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint, None if there is none. The log is cut off where it was then: what came after is done again."""
        if not os.path.exists(self.checkpoint_path):
            return None
        state = torch.load(self.checkpoint_path)
        with open(self.log_path, "r+b") as file:
            file.truncate(state["log_bytes"])
        return state

"""The time that a fit has taken, over all the processes that worked on it."""

from __future__ import annotations

import time


class Clock:
    """seconds: by the wall clock. cpu_seconds: of all threads of the process."""

    def __init__(self) -> None:
        self.set(0.0, 0.0)

    def set(self, seconds: float, cpu_seconds: float) -> None:
        """From now on it counts from there."""
        self._wall, self._cpu = time.monotonic() - seconds, time.process_time() - cpu_seconds

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._wall

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu

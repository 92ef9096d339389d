"""What the library and this machine offer: version, instruction sets, weight types, kernel libraries, threads."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass

from . import library
from .library import Held, c, check, text


def version() -> str:
    """The C library's version, "MAJOR.MINOR.PATCH"."""
    return text(c.lookupffn_version())


@dataclass(frozen=True)
class Isa:
    """An instruction set, and whether this library and this machine support it."""

    name: str
    """ "sse41", "avx2", ..."""
    description: str
    missing: str
    """What this machine lacks for it, "" if it can run it."""
    built_in: bool
    """This library has kernels for it."""
    runnable: bool
    """This CPU and this operating system can run it."""
    active: bool
    """It is the default for layers that are packed now."""


def isas() -> list[Isa]:
    """The ISAs that the library knows, from the plainest to the widest."""
    found = []
    for index in range(c.lookupffn_isa_count()):
        info = library.IsaInfo()
        check(c.lookupffn_isa_at(index, info))
        found.append(
            Isa(
                text(info.name),
                text(info.description),
                text(info.missing),
                bool(info.built_in),
                bool(info.runnable),
                bool(info.active),
            )
        )
    return found


def active_isa() -> str:
    """The ISA that layers are packed for by default: the forced one, else that of the environment variable LOOKUPFFN_ISA,
    else the widest that this library and this machine have. Raises Error if LOOKUPFFN_ISA's is not available."""
    name = ctypes.c_char_p()
    check(c.lookupffn_active_isa(name))
    return text(name.value)


def force_isa(name: str | None) -> None:
    """Makes `name` the active ISA of the process; None returns to the automatic choice. Layers that are already packed
    keep theirs. Raises Error if this machine or library lacks it."""
    check(c.lookupffn_force_isa(None if name is None else name.encode()))


@dataclass(frozen=True)
class WeightType:
    """A type that weights can be packed as."""

    name: str
    """ "f32", "bf16", ..."""
    description: str
    bits: int
    """Bits of an element."""
    for_tables: bool
    for_projections: bool


def _type_infos() -> list[library.TypeInfo]:
    infos = []
    for index in range(c.lookupffn_type_count()):
        info = library.TypeInfo()
        check(c.lookupffn_type_at(index, info))
        infos.append(info)
    return infos


_types = _type_infos()
TYPE_NUMBERS = {text(info.name): info.type for info in _types}
TYPE_NAMES = {number: name for name, number in TYPE_NUMBERS.items()}


def weight_types() -> list[WeightType]:
    """The types that weights can be packed as."""
    return [
        WeightType(text(info.name), text(info.description), info.bits, bool(info.for_tables), bool(info.for_projections))
        for info in _types
    ]


def load_kernels(directory: str | os.PathLike[str]) -> int:
    """Loads every kernel library of a directory that `lookupffn build` made, for layers packed from now on; returns how many.
    A kernel library is code that runs in this process: load only what you trust. Raises Error."""
    loaded = ctypes.c_size_t()
    check(c.lookupffn_load_kernels(os.fsencode(directory), loaded))
    return loaded.value


class Threads(Held):
    """A pool of threads that forwards run on; without it a forward runs on the process's default pool. Forwards that share a
    pool may run at the same time; one that finds it busy runs on its own thread alone.

    count: how many threads, including the calling one; 0: as many as this process may use.

    Raises Error if the system does not start so many.
    """

    _instead = "make Threads(count) there"

    def __init__(self, count: int = 0) -> None:
        self._handle = None
        if not 0 <= count <= sys.maxsize:
            raise ValueError(f"count is {count}; it is from 0 to {sys.maxsize}")
        handle = ctypes.c_void_p()
        check(c.lookupffn_threads_create(count, handle))
        self._handle = handle.value

    @property
    def count(self) -> int:
        """How many threads there are, including the calling one."""
        return c.lookupffn_threads_count(self._handle)

    def __del__(self, free=c.lookupffn_threads_free) -> None:
        if getattr(self, "_handle", None) is not None:
            free(self._handle)
            self._handle = None

    def __repr__(self) -> str:
        return f"lookupffn.Threads({self.count})"


def pool_of(threads: Threads | None) -> int | None:
    """The library's handle of what a caller gives as `threads`."""
    if threads is None:
        return None
    if not isinstance(threads, Threads):
        raise TypeError(f"threads is a {type(threads).__name__}; give a lookupffn.Threads, which may be used many times, or None")
    return threads._handle


def default_thread_count() -> int:
    """How many threads this process may use: its affinity mask, limited by its cgroup's CPU quota."""
    return c.lookupffn_default_thread_count()

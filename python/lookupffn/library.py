"""The C library: where it is, the types and functions of lookupffn.h that the package calls, its errors."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_size_t, c_ssize_t, c_uint, c_void_p

NATIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "native")
"""What is compiled: lib/, and where the wheel was built with Halide bin/, libexec/ and share/."""


class Error(RuntimeError):
    """What the library refused or failed at. `str()` is its message, one line that names the thing and the fix.

    status: the name of the C API's status, for programs: "invalid_argument", "io_error", "malformed_model", "not_found",
        "unsupported_isa", "no_kernel", "incompatible_kernels", "out_of_memory" or "internal".
    """

    status: str

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self):
        return Error, (self.status, str(self))


class Held:
    """An object of the library that is held by its address and does not change: copies are the object itself, and it cannot be
    pickled."""

    _handle: int | None
    _instead: str
    """What to pickle instead."""

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError(f"a lookupffn.{type(self).__name__} is memory of this process and cannot be pickled: {self._instead}")


class IsaInfo(ctypes.Structure):
    """lookupffn_isa_info"""

    _fields_ = [
        ("name", c_char_p),
        ("description", c_char_p),
        ("missing", c_char_p),
        ("built_in", c_int),
        ("runnable", c_int),
        ("active", c_int),
    ]


class Shape(ctypes.Structure):
    """lookupffn_shape"""

    _fields_ = [
        ("prefix", c_char_p),
        ("family", c_char_p),
        ("projection", c_int),
        ("d_in", c_size_t),
        ("d_out", c_size_t),
        ("tables", c_size_t),
        ("bits", c_size_t),
        ("rows", c_size_t),
        ("lookups", c_size_t),
        ("block", c_size_t),
        ("repeats", c_size_t),
        ("decay", c_float),
        ("layer_norm_eps", c_float),
    ]


class TypeInfo(ctypes.Structure):
    """lookupffn_type_info"""

    _fields_ = [
        ("type", c_int),
        ("name", c_char_p),
        ("description", c_char_p),
        ("bits", c_int),
        ("for_tables", c_int),
        ("for_projections", c_int),
    ]


class PackOptions(ctypes.Structure):
    """lookupffn_pack_options"""

    _fields_ = [("isa", c_char_p), ("kernels", c_int), ("table_type", c_int), ("projection_type", c_int)]


class LayerInfo(ctypes.Structure):
    """lookupffn_layer_info"""

    _fields_ = [
        ("shape", Shape),
        ("isa", c_char_p),
        ("table_type", c_int),
        ("projection_type", c_int),
        ("specialised", c_int),
        ("fallback", c_char_p),
        ("kernels", c_char_p),
        ("table_bytes", c_size_t),
        ("projection_bytes", c_size_t),
        ("packed_bytes", c_size_t),
        ("huge_page_bytes", c_size_t),
        ("pack_seconds", c_double),
    ]


class Weights(ctypes.Structure):
    """lookupffn_weights"""

    _fields_ = [
        ("norm_weight", c_void_p),
        ("norm_bias", c_void_p),
        ("projection_weight", c_void_p),
        ("projection_bias", c_void_p),
        ("tables", c_void_p),
        ("bias", c_void_p),
    ]


class RowAdam(ctypes.Structure):
    """lookupffn_row_adam"""

    _fields_ = [
        ("parameter", c_void_p),
        ("mean", c_void_p),
        ("square", c_void_p),
        ("steps", c_void_p),
        ("row_log_decay", c_void_p),
        ("rows", c_size_t),
        ("width", c_size_t),
        ("lr", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("eps", c_double),
        ("log_decay", c_double),
    ]


class Gradients(ctypes.Structure):
    """lookupffn_gradients"""

    _fields_ = [
        ("x", c_void_p),
        ("norm_weight", c_void_p),
        ("norm_bias", c_void_p),
        ("projection_weight", c_void_p),
        ("projection_bias", c_void_p),
        ("bias", c_void_p),
        ("tables", c_void_p),
        ("rows", c_void_p),
        ("adam", POINTER(RowAdam)),
    ]


STRUCTURES = {
    "lookupffn_isa_info": IsaInfo,
    "lookupffn_shape": Shape,
    "lookupffn_type_info": TypeInfo,
    "lookupffn_pack_options": PackOptions,
    "lookupffn_layer_info": LayerInfo,
    "lookupffn_weights": Weights,
    "lookupffn_row_adam": RowAdam,
    "lookupffn_gradients": Gradients,
}

PROJECTIONS = ("dense", "bh4", None)  # by the numbers of lookupffn_projection
KERNELS = ("any", "generic", "specialised")  # by the numbers of lookupffn_kernels
ADD_RESIDUAL = 1
MEAN = 2

# Functions: what they return (None: nothing; "status": a lookupffn_status, checked), and what they take. Matrices are
# passed as addresses.
FUNCTIONS = {
    "lookupffn_status_name": (c_char_p, [c_int]),
    "lookupffn_last_message": (c_char_p, []),
    "lookupffn_version": (c_char_p, []),
    "lookupffn_isa_count": (c_size_t, []),
    "lookupffn_isa_at": ("status", [c_size_t, POINTER(IsaInfo)]),
    "lookupffn_active_isa": ("status", [POINTER(c_char_p)]),
    "lookupffn_force_isa": ("status", [c_char_p]),
    "lookupffn_model_open": ("status", [c_char_p, POINTER(c_void_p)]),
    "lookupffn_model_open_memory": ("status", [c_void_p, c_size_t, POINTER(c_void_p)]),
    "lookupffn_model_close": (None, [c_void_p]),
    "lookupffn_model_layer_count": (c_size_t, [c_void_p]),
    "lookupffn_model_layer": ("status", [c_void_p, c_size_t, POINTER(Shape)]),
    "lookupffn_type_count": (c_size_t, []),
    "lookupffn_type_at": ("status", [c_size_t, POINTER(TypeInfo)]),
    "lookupffn_layer_pack": ("status", [c_void_p, c_char_p, POINTER(PackOptions), POINTER(c_void_p)]),
    "lookupffn_layer_free": (None, [c_void_p]),
    "lookupffn_layer_describe": ("status", [c_void_p, POINTER(LayerInfo)]),
    "lookupffn_default_thread_count": (c_size_t, []),
    "lookupffn_threads_create": ("status", [c_size_t, POINTER(c_void_p)]),
    "lookupffn_threads_count": (c_size_t, [c_void_p]),
    "lookupffn_threads_free": (None, [c_void_p]),
    "lookupffn_forward": (
        "status",
        [c_void_p, c_void_p, c_void_p, c_ssize_t, c_void_p, c_ssize_t, c_size_t, c_uint],
    ),
    "lookupffn_forward_ids": (
        "status",
        [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p, c_ssize_t, c_uint],
    ),
    "lookupffn_hash": ("status", [c_void_p, c_void_p, c_void_p, c_ssize_t, c_void_p, c_void_p, c_size_t]),
    "lookupffn_gather": ("status", [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_ssize_t, c_size_t]),
    "lookupffn_training_create": ("status", [POINTER(Shape), c_char_p, POINTER(c_void_p)]),
    "lookupffn_training_free": (None, [c_void_p]),
    "lookupffn_training_saved_floats": (c_size_t, [c_void_p, c_size_t]),
    "lookupffn_training_hash": (
        "status",
        [c_void_p, c_void_p, POINTER(Weights), c_void_p, c_ssize_t, c_size_t, c_void_p],
    ),
    "lookupffn_training_rows": ("status", [c_void_p, c_size_t, c_void_p, c_void_p, POINTER(c_size_t)]),
    "lookupffn_training_gather": (
        "status",
        [c_void_p, c_void_p, POINTER(Weights), c_size_t, c_void_p, c_void_p, c_ssize_t],
    ),
    "lookupffn_training_backward": (
        "status",
        [
            c_void_p,
            c_void_p,
            POINTER(Weights),
            c_void_p,
            c_ssize_t,
            c_void_p,
            c_ssize_t,
            c_size_t,
            c_void_p,
            POINTER(Gradients),
        ],
    ),
    "lookupffn_row_adam_step": ("status", [POINTER(RowAdam), c_void_p, c_void_p, c_void_p, c_size_t]),
    "lookupffn_load_kernels": ("status", [c_char_p, POINTER(c_size_t)]),
}


def path() -> str:
    """The shared library: the package's own, or the one that the environment variable LOOKUPFFN_LIBRARY names."""
    return os.environ.get("LOOKUPFFN_LIBRARY") or os.path.join(NATIVE, "lib", "liblookupffn.so")


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path())
    except OSError as error:
        raise ImportError(
            f"lookupffn: its library cannot be loaded ({error}); install the wheel, or name a liblookupffn.so of this"
            " version with LOOKUPFFN_LIBRARY"
        ) from None
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = c_int if result == "status" else result
    return library


c = _load()
"""The library's functions. Each call of one releases Python's global lock while it runs."""


def check(status: int) -> None:
    """Raises Error with this thread's last message unless `status` is LOOKUPFFN_OK."""
    if status != 0:
        raise Error(c.lookupffn_status_name(status).decode(), c.lookupffn_last_message().decode(errors="replace"))


def text(value: bytes | None) -> str:
    """A C string as str."""
    return (value or b"").decode(errors="replace")

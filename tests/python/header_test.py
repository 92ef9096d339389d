"""What library.py says of the C API is what lookupffn.h says."""

import ctypes
import os
import re
import unittest

import testing

from lookupffn import library

TYPES = {
    "int": ctypes.c_int,
    "unsigned": ctypes.c_uint,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "size_t": ctypes.c_size_t,
    "ptrdiff_t": ctypes.c_ssize_t,
    "const char *": ctypes.c_char_p,
    "const char **": ctypes.POINTER(ctypes.c_char_p),
    "size_t *": ctypes.POINTER(ctypes.c_size_t),
    "lookupffn_shape": library.Shape,
}


def header():
    path = os.path.join(testing.SOURCE, "runtime", "include", "lookupffn", "lookupffn.h")
    with open(path, encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)


def declared(text):
    """(type, name) of "const char *name", "size_t d_in", ..."""
    kind, name = re.fullmatch(r"\s*(.*?)(\w+)\s*", text, re.S).groups()
    return " ".join(kind.split()), name


def ctype(kind):
    if kind in TYPES:
        return TYPES[kind]
    bare = kind.replace("const ", "").replace(" *", "").replace("*", "").strip()
    if bare in library.STRUCTURES:
        return ctypes.POINTER(library.STRUCTURES[bare])
    if kind.endswith("**"):
        return ctypes.POINTER(ctypes.c_void_p)
    if kind.endswith("*"):
        return ctypes.c_void_p
    return ctypes.c_int  # an enum


class HeaderTest(unittest.TestCase):
    def test_structures(self):
        for name, structure in library.STRUCTURES.items():
            with self.subTest(name):
                (body,) = re.findall(r"typedef struct \w+ \{([^}]*)\} " + name + ";", header())
                fields = [declared(field) for field in body.split(";") if field.strip()]
                self.assertEqual([(field, ctype(kind)) for kind, field in fields], list(structure._fields_))

    def test_functions(self):
        functions = re.findall(r"LOOKUPFFN_API ([^;(]*?)(\w+)\(([^;]*)\);", header())
        self.assertGreater(len(functions), 20)
        # What Python has no use for: its threads are its own, kernel libraries are loaded by name, names of types are known.
        without = {"lookupffn_threads_wrap", "lookupffn_register_kernels", "lookupffn_type_name"}
        self.assertEqual({name for _, name, _ in functions} - without, set(library.FUNCTIONS))
        for result, name, arguments in functions:
            if name in without:
                continue
            with self.subTest(name):
                expected_result, expected_arguments = library.FUNCTIONS[name]
                arguments = [] if arguments == "void" else [declared(argument) for argument in arguments.split(",")]
                self.assertEqual([ctype(kind) for kind, _ in arguments], expected_arguments)
                result = result.strip()
                wanted = {"void": None, "lookupffn_status": "status"}
                self.assertEqual(wanted[result] if result in wanted else ctype(result), expected_result)

    def test_numbers(self):
        text = header()

        def number(name):
            return int(re.search(name + r" = (\d+)", text).group(1))

        self.assertEqual(number("LOOKUPFFN_ADD_RESIDUAL"), library.ADD_RESIDUAL)
        self.assertEqual(number("LOOKUPFFN_MEAN"), library.MEAN)
        names = [(f"LOOKUPFFN_{kernels.upper()}_KERNELS", i) for i, kernels in enumerate(library.KERNELS)]
        names += [
            (f"LOOKUPFFN_{(projection or 'no_projection').upper()}", i) for i, projection in enumerate(library.PROJECTIONS)
        ]
        for name, value in names:
            self.assertEqual(number(name), value, name)


if __name__ == "__main__":
    testing.main()

#!/usr/bin/env python3
"""Converts a checkpoint of the LookupFFN training code to the safetensors model that lookupffn reads.

CHECKPOINT is a PyTorch state_dict (torch.save(model.state_dict(), ...)) or a Lightning .ckpt, whose "model."
prefix is taken off. Each LookupFFN layer's six tensors (LayerNorm.weight, LayerNorm.bias, hash.projection.weight,
hash.projection.bias, tables, bias) are checked and written under their names; float64 becomes F32, other types
stay unless --dtype says otherwise. Needs PyTorch (Debian: apt install python3-torch) and nothing else.
"""

import argparse
import importlib.util
import inspect
import math
import os
import sys

try:
    import numpy  # noqa: F401  (tensor.numpy() needs it)
    import torch
except ImportError as error:
    torch = None
    import_error = error

PARAMETERS = ("LayerNorm.weight", "LayerNorm.bias", "hash.projection.weight", "hash.projection.bias", "tables", "bias")
# A layer is where one of these is; "LayerNorm.weight" and "bias" are everybody's names.
TELLING_PARAMETERS = ("hash.projection.weight", "hash.projection.bias", "tables")


class ConversionError(Exception):
    """What is wrong and how to mend it, in one line."""


def one_line(error):
    return " ".join(str(error).split()) or type(error).__name__


def load(path, trust):
    """The checkpoint's top-level object. Weights alone are loaded unless `trust`: unpickling can run code."""
    if not os.path.isfile(path):
        raise ConversionError(f"{path}: no such file")
    arguments = {"map_location": "cpu"}
    if "weights_only" in inspect.signature(torch.load).parameters:
        arguments["weights_only"] = not trust
    elif not trust:
        raise ConversionError(
            f"{path}: torch {torch.__version__} cannot load weights alone, and loading all can run code that the"
            " file brings along; if you trust the file, give --trust"
        )
    try:
        return torch.load(path, **arguments)
    except ModuleNotFoundError as error:
        raise ConversionError(f"{path}: holds objects of the module '{error.name}', which is not installed here")
    except Exception as error:  # torch.load raises whatever the bytes lead it to
        if not trust and "weights" in str(error).lower():
            reason = one_line(error).split("Re-running")[0].strip()[:200]
            raise ConversionError(
                f"{path}: is damaged, or holds more than weights ({reason}); if you trust where the file comes from,"
                " give --trust, which may run code from the file"
            )
        raise ConversionError(f"{path}: is not a checkpoint that torch can load ({one_line(error)[:200]})")


def without_prefix(state, prefix, path):
    """`state` with `prefix` taken off the names that have it."""
    stripped = {}
    for name, value in state.items():
        name = name[len(prefix):] if name.startswith(prefix) else name
        if name in stripped:
            raise ConversionError(f"{path}: '{name}' is there twice, with and without the prefix '{prefix}'")
        stripped[name] = value
    return stripped


def state_of(checkpoint, path):
    """Name to tensor, without the prefixes that Lightning and data-parallel wrappers add."""
    if isinstance(checkpoint, torch.nn.Module):
        raise ConversionError(f"{path}: holds a whole module; save its state_dict() instead")
    lightning = isinstance(checkpoint, dict) and isinstance(checkpoint.get("state_dict"), dict)
    state = checkpoint["state_dict"] if lightning else checkpoint
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ConversionError(f"{path}: holds a {type(state).__name__}, neither a state_dict nor a Lightning checkpoint")
    state = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if lightning:
        state = without_prefix(state, "model.", path)
    if state and all(name.startswith("module.") for name in state):
        state = without_prefix(state, "module.", path)
    return state


def layer_prefixes(state):
    prefixes = set()
    for name in state:
        for parameter in TELLING_PARAMETERS:
            if name == parameter or name.endswith("." + parameter):
                prefixes.add(name[: len(name) - len(parameter)])
    return sorted(prefixes)


def is_power_of_two(value):
    return value > 0 and value & (value - 1) == 0


def check_layer(state, prefix):
    """Raises ConversionError unless the layer's tensors fit each other; returns its description."""

    def need(condition, parameter, expected):
        if not condition:
            shape = list(state[prefix + parameter].shape)
            raise ConversionError(f"tensor '{prefix + parameter}' has shape {shape}, expected {expected}")

    for parameter in PARAMETERS:
        if prefix + parameter not in state:
            raise ConversionError(f"the layer with prefix '{prefix}' has no tensor '{prefix + parameter}'")
    for parameter in PARAMETERS:
        tensor = state[prefix + parameter]
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
            raise ConversionError(f"tensor '{prefix + parameter}' is sparse, quantised or empty, expected plain values")
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            raise ConversionError(f"tensor '{prefix + parameter}' has type {tensor.dtype}, expected floating point")
        need(all(tensor.shape), parameter, "no empty dimension")
        if not bool(torch.isfinite(tensor).all()):
            raise ConversionError(f"tensor '{prefix + parameter}' holds values that are not finite")

    gamma, beta, weight, projection_bias, tables, bias = (state[prefix + parameter] for parameter in PARAMETERS)
    need(gamma.dim() == 1, "LayerNorm.weight", "[d_in]")
    d_in = gamma.shape[0]
    need(list(beta.shape) == [d_in], "LayerNorm.bias", [d_in])
    need(tables.dim() == 3, "tables", "[tables, rows, d_out]")
    table_count, rows, d_out = tables.shape
    need(is_power_of_two(rows) and rows >= 2, "tables", "a power of two of at least 2 rows")
    bits = rows.bit_length() - 1
    z = table_count * bits
    need(list(bias.shape) == [d_out], "bias", [d_out])
    need(list(projection_bias.shape) == [z], "hash.projection.bias", f"[{z}], tables x bits")
    if weight.dim() == 2:
        need(list(weight.shape) == [z, d_in], "hash.projection.weight", [z, d_in])
        projection = "dense"
    else:
        need(weight.dim() == 5, "hash.projection.weight", "2 dimensions (dense) or 5 (BH4)")
        padded = 1 << (d_in - 1).bit_length()
        repeats = max(1, math.ceil(z / padded))
        block = weight.shape[-1]
        need(is_power_of_two(block) and block <= padded, "hash.projection.weight",
             f"blocks of a power of two up to {padded}")
        expected = [repeats, 4, padded // block, block, block]
        need(list(weight.shape) == expected, "hash.projection.weight", expected)
        projection = f"BH4, blocks of {block}, {repeats} repeat{'s' if repeats > 1 else ''}"
    return f"{d_in} to {d_out}, {table_count} tables of {rows} rows, {projection}"


def converted(name, tensor, dtype):
    """`tensor` as it is to be written: contiguous, in `dtype` (None: its own, but no float64)."""
    tensor = tensor.detach()
    if not tensor.is_floating_point():
        return tensor.contiguous()
    target = dtype or (torch.float32 if tensor.dtype == torch.float64 else tensor.dtype)
    result = tensor.to(target).contiguous()
    if bool((torch.isfinite(tensor) & ~torch.isfinite(result)).any()):
        raise ConversionError(f"tensor '{name}' has values that {target} cannot hold; choose another --dtype")
    return result


def safetensors_module():
    """safetensors_file.py of the Python package, from beside the script: in the source tree, or where both are installed."""
    here = os.path.dirname(os.path.realpath(__file__))
    for folder in ("../python/lookupffn", "../share/lookupffn"):
        path = os.path.join(here, folder, "safetensors_file.py")
        if os.path.exists(path):
            spec = importlib.util.spec_from_file_location("safetensors_file", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise ConversionError(f"safetensors_file.py is not beside {here}: run the script from where lookupffn is installed")


def positive(text):
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def fraction(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not between 0 and 1")
    return value


def parse_arguments(arguments):
    description, details = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("output", metavar="OUTPUT", nargs="?", help="safetensors file to write; not with --list")
    parser.add_argument("--prefix", default="", help="only layers whose prefix begins with this, as --list shows it")
    parser.add_argument("--decay", type=fraction, default=0.7,
                        help="BH4's decay_coeff, which checkpoints do not hold (default 0.7)")
    parser.add_argument("--layer-norm-eps", type=positive, default=1e-5,
                        help="layer_norm_eps of the training configuration (default 1e-5)")
    parser.add_argument("--dtype", choices=("f32", "f16", "bf16"), help="write all floating-point tensors in this type")
    parser.add_argument("--all", action="store_true",
                        help="also write the checkpoint's other tensors (attention, embeddings, ...)")
    parser.add_argument("--list", action="store_true", help="print the layers and write nothing")
    parser.add_argument("--trust", action="store_true",
                        help="load checkpoints that hold more than weights; this can run code from the file")
    parsed = parser.parse_args(arguments)
    if (parsed.output is None) != parsed.list:
        parser.error("give either OUTPUT or --list")
    return parsed


def check_output(options):
    if options.output is None or not os.path.exists(options.output):
        return
    if os.path.exists(options.checkpoint) and os.path.samefile(options.output, options.checkpoint):
        raise ConversionError(f"{options.output}: is the checkpoint itself; name another file to write")
    if not os.path.isfile(options.output):
        raise ConversionError(f"{options.output}: cannot be written (it is no regular file)")


def convert(options):
    check_output(options)
    state = state_of(load(options.checkpoint, options.trust), options.checkpoint)
    every_prefix = layer_prefixes(state)
    if not every_prefix:
        raise ConversionError(
            f"{options.checkpoint}: holds no LookupFFN layer: none of its {len(state)} tensors is named"
            " '...hash.projection.weight' or '...tables'"
        )
    prefixes = [prefix for prefix in every_prefix if prefix.startswith(options.prefix)]
    if not prefixes:
        there = ", ".join(f"'{prefix}'" for prefix in every_prefix)
        raise ConversionError(
            f"{options.checkpoint}: no layer's prefix begins with '{options.prefix}'; there are {there}"
        )
    for prefix in prefixes:
        print(f"'{prefix}': {check_layer(state, prefix)}")
    if options.list:
        return

    names = [prefix + parameter for prefix in prefixes for parameter in PARAMETERS]
    if options.all:
        names = [name for name in state if name.startswith(options.prefix)]
    dtype = {None: None, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[options.dtype]
    tensors = {name: converted(name, state[name], dtype) for name in names}
    writer = safetensors_module()
    for name, tensor in tensors.items():
        try:
            writer.encoded(name, tensor)
        except TypeError:
            raise ConversionError(f"tensor '{name}' has type {tensor.dtype}, which cannot be written; leave out --all")
    metadata = {"decay": repr(options.decay), "layer_norm_eps": repr(options.layer_norm_eps)}
    try:
        writer.save_file(options.output, tensors, metadata)
    except OSError as error:
        raise ConversionError(f"{options.output}: cannot be written ({error.strerror})")
    print(f"{options.output}: {len(tensors)} tensors, {os.path.getsize(options.output)} bytes")


def main(arguments):
    options = parse_arguments(arguments)
    try:
        if torch is None:
            raise ConversionError(f"{import_error}: install PyTorch and NumPy (Debian: apt install python3-torch) and"
                                  f" run this with a python3 that has them; this one is {sys.executable}")
        convert(options)
    except ConversionError as error:
        print(f"convert_checkpoint: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What Python says of the C interface is what capi/shale.h declares."""

import ctypes
import pathlib
import re
import struct

import pytest

from shale._core import prototypes
from shale._core.library import lib

HEADER = pathlib.Path(__file__).parents[2] / "capi" / "shale.h"
TEXT = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.S)

NUMBERS = {"int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "double": ctypes.c_double}
#: Pointers as arguments, by what they point to: bytes and arrays of NumPy go in as pointers to bytes.
ARRAY = ctypes.POINTER(ctypes.c_ubyte)
POINTERS = {
    "char": {ctypes.c_char_p, ARRAY},
    "void": {ARRAY},
    "float": {ARRAY},
    "uint8_t": {ARRAY},
    "uint64_t": {ARRAY},
    "int32_t": {ARRAY, ctypes.POINTER(ctypes.c_int32)},
    "int64_t": {ARRAY, ctypes.POINTER(ctypes.c_int64)},
    "struct shale_source": {ctypes.POINTER(prototypes.Source)},
    "struct shale_query": {ctypes.c_char_p},  # as pack_query makes it
    "struct shale_stat": {ctypes.POINTER(prototypes.Stat)},
    "struct shale_tuning": {ctypes.POINTER(prototypes.Tuning)},
    "struct shale_rows": {ctypes.POINTER(prototypes.NamedRows)},
}
STRUCTS = {
    "shale_python": prototypes.Python,
    "shale_source": prototypes.Source,
    "shale_query": prototypes.Query,
    "shale_stat": prototypes.Stat,
    "shale_tuning": prototypes.Tuning,
    "shale_rows": prototypes.NamedRows,
}


def split(arguments):
    """The arguments of a declaration; those of functions among them stay together."""
    parts, depth = [""], 0
    for sign in arguments:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [" ".join(part.split()) for part in parts]


FUNCTIONS = {
    name: split(arguments) for name,
    arguments in re.findall(r"^int32_t shale_(\w+)\(([^;]*)\);", TEXT, flags=re.M | re.S)
}


def fits(declared, given):
    """Whether an argument of a function may be passed as Python passes it."""
    if declared == "void *watch":
        return given is prototypes.WATCH
    if "(*" in declared:
        return given is prototypes.Allow
    kind, pointer = re.fullmatch(r"(?:const )?((?:struct )?\w+) (\*?)\w+", declared).groups()
    return given in POINTERS[kind] if pointer else given is NUMBERS[kind]


def layout(struct_):
    """Name, offset and size of each field that the header declares of a struct, by C's rules for 64 bits."""
    (body,) = re.findall(rf"^struct {struct_} {{\n(.*?)^}};", TEXT, flags=re.M | re.S)
    fields, at = [], 0
    for declared in filter(None, (" ".join(line.split()) for line in body.split(";"))):
        names = re.findall(r"\(\*(\w+)\)", declared) or re.sub(r"^(const )?\w+ ", "", declared).split(", ")
        for name in names:
            number = re.match(r"(?:const )?(\w+) ", declared).group(1) if "*" not in declared else None
            size = 8 if number is None else ctypes.sizeof(NUMBERS[number])
            at = -(-at // size) * size
            fields.append((name.lstrip("*"), at, size))
            at += size
    return fields


def test_every_function_is_declared_once():
    assert len(FUNCTIONS) > 30 and set(FUNCTIONS) == set(prototypes.PROTOTYPES)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_arguments_are_those_of_the_header(name):
    declared, given = FUNCTIONS[name], prototypes.PROTOTYPES[name]
    assert len(declared) == len(given)
    for one, kind in zip(declared, given):
        assert fits(one, kind), (one, kind)
    assert getattr(lib, name).restype is ctypes.c_int32


def test_a_wrong_argument_is_noticed():
    assert not fits("int64_t count", ctypes.c_int32)
    assert not fits("const float *rows", ctypes.c_char_p)
    assert not fits("void *watch", ARRAY)


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_structs_are_laid_out_as_in_the_header(name):
    kind = STRUCTS[name]
    there = [(field, getattr(kind, field).offset, getattr(kind, field).size) for field, *_ in kind._fields_]
    assert there == layout(name)


def test_every_struct_is_known():
    assert set(re.findall(r"^struct (\w+) {", TEXT, flags=re.M)) == set(STRUCTS)


def test_queries_are_packed_as_their_struct():
    fields = layout("shale_query")
    packed = prototypes.pack_query(*(float(n) if fields[n][0] in ("slack", "share") else n for n in range(len(fields))))
    query = prototypes.Query.from_buffer_copy(packed)
    assert len(packed) == ctypes.sizeof(query) == struct.calcsize("20q")
    assert [getattr(query, name) or 0 for name, *_ in fields] == list(range(len(fields)))


@pytest.mark.parametrize("enum, prefix", [("shale_status", "SHALE_"), ("shale_type", "SHALE_")])
def test_constants_have_the_values_of_the_header(enum, prefix):
    (body,) = re.findall(rf"^enum {enum} {{\n(.*?)^}};", TEXT, flags=re.M | re.S)
    values = re.findall(rf"{prefix}(\w+) = (\d+)", body)
    assert len(values) > 2
    for name, value in values:
        assert getattr(prototypes, name) == int(value), name

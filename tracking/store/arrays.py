"""Columns of values as PostgreSQL binary arrays, built without touching the elements one by one.

A batch goes to the database as one array a column (``insert ... select unnest(%b), ...``). Handing psycopg
Python lists costs it one dumper call an element; here numpy lays a whole column out at once, and psycopg
gets finished bytes. ``docs/decisions/rows-travel-as-binary-arrays.md`` has the figures.

Layout: number of dimensions, "has nulls", element type; then length and lower bound; then for each element
its length (-1: null) and its bytes, all big-endian. Source: ``array_send`` in PostgreSQL's ``arrayfuncs.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from devices.observation import micros

Integers: TypeAlias = Sequence[int] | NDArray[np.integer[Any]]
Floats: TypeAlias = Sequence[float | None] | NDArray[np.floating[Any]]

POSTGRES_EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01T00:00:00Z, where PostgreSQL's timestamps begin, in microseconds since 1970."""

_LENGTH: Final = struct.Struct(">i")
_NULL: Final = _LENGTH.pack(-1)
_ARRAY: Final = struct.Struct(">iiIii")
_EMPTY: Final = struct.Struct(">iiI")
_SHORT_LENGTHS: Final = [_LENGTH.pack(length) for length in range(4096)]


class Array(bytes):
    """A finished array value; the subclass says of what type."""

    element_oid: ClassVar[int]

    @classmethod
    def of(cls, count: int, elements: bytes, *, nulls: bool = False) -> Array:
        """Put the header before ``count`` elements that are laid out already."""
        if count == 0:
            return cls(_EMPTY.pack(0, 0, cls.element_oid))
        return cls(_ARRAY.pack(1, nulls, cls.element_oid, count, 1) + elements)


class Int2Array(Array):
    element_oid = 21


class Int4Array(Array):
    element_oid = 23


class Int8Array(Array):
    element_oid = 20


class Float4Array(Array):
    element_oid = 700


class Float8Array(Array):
    element_oid = 701


class BoolArray(Array):
    element_oid = 16


class TimestamptzArray(Array):
    element_oid = 1184


class TextArray(Array):
    element_oid = 25


class ByteaArray(Array):
    element_oid = 17


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj


_ARRAY_OIDS: Final[dict[type[Array], int]] = {
    Int2Array: 1005,
    Int4Array: 1007,
    Int8Array: 1016,
    Float4Array: 1021,
    Float8Array: 1022,
    BoolArray: 1000,
    TimestamptzArray: 1185,
    TextArray: 1009,
    ByteaArray: 1001,
}
for _type, _oid in _ARRAY_OIDS.items():
    psycopg.adapters.register_dumper(_type, type(f"{_type.__name__}Dumper", (_ArrayDumper,), {"oid": _oid}))


def int2s(values: Integers) -> Array:
    return _fixed(Int2Array, values, ">i2")


def int4s(values: Integers) -> Array:
    return _fixed(Int4Array, values, ">i4")


def int8s(values: Integers) -> Array:
    return _fixed(Int8Array, values, ">i8")


def bools(values: Sequence[bool]) -> Array:
    return _fixed(BoolArray, np.asarray(values, dtype=np.bool_), "u1")


def timestamps(times_us: Integers) -> Array:
    """``timestamptz[]`` of microseconds since 1970."""
    return _fixed(TimestamptzArray, np.asarray(times_us, dtype=np.int64) - POSTGRES_EPOCH_US, ">i8")


def moments(values: Sequence[datetime | None]) -> Array:
    """``timestamptz[]`` of aware datetimes; None is null. For a few rows; the hot path has ``timestamps``."""
    parts = [
        _NULL if value is None else _TIMESTAMP.pack(8, micros(value) - POSTGRES_EPOCH_US) for value in values
    ]
    return TimestamptzArray.of(len(parts), b"".join(parts), nulls=None in values)


_TIMESTAMP: Final = struct.Struct(">iq")


def float4s(values: Floats) -> Array:
    """``real[]``; None and NaN are null."""
    return _floats(Float4Array, values, ">f4")


def float8s(values: Floats) -> Array:
    """``double precision[]``; None and NaN are null."""
    return _floats(Float8Array, values, ">f8")


def byteas(values: Sequence[bytes]) -> Array:
    """``bytea[]`` without nulls."""
    lengths = list(map(len, values))
    if max(lengths, default=0) < len(_SHORT_LENGTHS):
        prefixes = map(_SHORT_LENGTHS.__getitem__, lengths)
    else:
        prefixes = map(_LENGTH.pack, lengths)
    parts: list[bytes] = [b""] * (2 * len(lengths))
    parts[0::2] = prefixes
    parts[1::2] = values
    return ByteaArray.of(len(lengths), b"".join(parts))


def texts(values: Sequence[str | None]) -> Array:
    """``text[]``; None is null. Each different text is encoded once."""
    return TextArray.of(len(values), b"".join(map(_Encoded().__getitem__, values)), nulls=None in values)


class _Encoded(dict[str | None, bytes]):
    """Text to its element bytes; what is asked for a second time is there already."""

    def __missing__(self, text: str | None) -> bytes:
        if text is None:
            element = _NULL
        else:
            data = text.encode()
            element = _LENGTH.pack(len(data)) + data
        self[text] = element
        return element


def _fixed(kind: type[Array], values: Any, dtype: str) -> Array:
    count = len(values)
    elements = np.empty(count, dtype=[("length", ">i4"), ("value", dtype)])
    elements["length"] = elements.dtype["value"].itemsize
    elements["value"] = values
    return kind.of(count, elements.tobytes())


def _floats(kind: type[Array], values: Floats, dtype: str) -> Array:
    column = np.asarray(values, dtype=np.float64)
    null = np.isnan(column)
    count = len(column)
    if not null.any():
        return _fixed(kind, column, dtype)
    if null.all():
        return kind.of(count, _NULL * count, nulls=True)
    elements = np.empty(count, dtype=[("length", ">i4"), ("value", dtype)])
    elements["length"] = np.where(null, -1, elements.dtype["value"].itemsize)
    elements["value"] = column
    cells = elements.view(np.uint8).reshape(count, elements.dtype.itemsize)
    keep = np.ones(cells.shape, dtype=np.bool_)
    keep[null, 4:] = False  # a null has no bytes after its length
    return kind.of(count, cells[keep].tobytes(), nulls=True)

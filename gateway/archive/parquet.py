"""Parquet files, written and read by the Rust implementation of Arrow, which is an optional dependency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from devices.observation import micros
from gateway.problem import Problem

COMPRESSION: Final = "zstd(3)"

Columns = Sequence[tuple[str, str]]


def require() -> None:
    """Make sure that the library is there.

    Raises:
        Problem: it isn't.
    """
    try:
        import arro3.core  # noqa: PLC0415 - optional: only archives need it
        import arro3.io  # noqa: F401, PLC0415
    except ImportError:
        raise Problem(
            "archives are Parquet files, and the library that writes them isn't installed",
            "pip install 'bondwatch[archive]'",
        ) from None


def write(path: Path, columns: Columns, pages: Iterable[Sequence[Sequence[Any]]]) -> int:
    """Write the rows of all pages; returns how many there were.

    Args:
        path: is made.
        columns: each with its type, as ``tracking.store.archive.Table`` has them.
        pages: rows, in order.
    """
    from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema  # noqa: PLC0415
    from arro3.io import write_parquet  # noqa: PLC0415

    moment = DataType.timestamp("us", tz="UTC")
    stored = {
        "text": DataType.utf8(),
        "int": DataType.int64(),
        "float": DataType.float64(),
        "bytes": DataType.binary(),
        "moment": moment,
    }
    schema = Schema([Field(name, stored[kind], nullable=True) for name, kind in columns])
    count = 0

    def column(kind: str, values: Sequence[Any]) -> Any:
        if kind == "moment":
            whole = [None if value is None else _micros(value) for value in values]
            return Array(whole, DataType.int64()).cast(moment)
        return Array(list(values), stored[kind])

    def batches() -> Iterator[Any]:
        nonlocal count
        for page in pages:
            count += len(page)
            parts = zip(*page, strict=True)
            yield RecordBatch(
                [column(kind, values) for (_, kind), values in zip(columns, parts, strict=True)],
                schema=schema,
            )

    write_parquet(RecordBatchReader.from_batches(schema, batches()), path, compression=COMPRESSION)
    return count


def read(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """These columns of a file, row by row; moments as microseconds since the epoch."""
    from arro3.core import DataType  # noqa: PLC0415
    from arro3.io import read_parquet  # noqa: PLC0415

    for batch in read_parquet(path):
        columns = []
        for name in names:
            column = batch.column(name)
            if DataType.is_temporal(column.type):
                column = column.cast(DataType.int64())
            columns.append(column.to_pylist())
        yield from zip(*columns, strict=True)


def _micros(value: datetime) -> int:
    return micros(value)

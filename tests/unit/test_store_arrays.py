"""Binary arrays by their bytes; ``integration/test_store_series.py`` has PostgreSQL read them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from tracking.store import arrays


def test_integers_are_laid_out_as_postgres_sends_them() -> None:
    array = arrays.int4s([1, -2])
    assert array == bytes.fromhex(
        "00000001 00000000 00000017 00000002 00000001 00000004 00000001 00000004 fffffffe"
    )


def test_nothing_is_an_array_without_dimensions() -> None:
    for empty in (arrays.int8s([]), arrays.texts([]), arrays.byteas([]), arrays.float4s([])):
        assert empty[:8] == bytes(8)
        assert len(empty) == 12


def test_a_null_is_a_length_of_minus_one_and_no_bytes() -> None:
    array = arrays.float8s([1.0, None, 2.0])
    assert array[4:8] == b"\0\0\0\1"
    assert array[20:] == bytes.fromhex("00000008 3ff0000000000000 ffffffff 00000008 4000000000000000")
    assert arrays.float4s([None, None])[20:] == b"\xff" * 8
    assert arrays.texts([None, "苏"])[20:] == b"\xff\xff\xff\xff\0\0\0\3" + "苏".encode()


def test_numpy_and_lists_are_the_same() -> None:
    times = [1_800_000_000_000_001, 0]
    assert arrays.timestamps(times) == arrays.timestamps(np.array(times))
    assert arrays.float8s([0.5, None]) == arrays.float8s(np.array([0.5, np.nan]))


def test_moments_and_microseconds_are_the_same() -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    assert arrays.moments([moment]) == arrays.timestamps([int(moment.timestamp()) * 1_000_000 + 123456])


def test_long_bytes_have_their_length_too() -> None:
    array = arrays.byteas([b"x" * 70_000, b""])
    assert array[20:24] == (70_000).to_bytes(4, "big")
    assert array[-4:] == bytes(4)

"""How long reading takes over HTTP: a long trace, search among many shipments, a live map.

The process that answers is the API as ``bondwatch up`` runs it; times are those of one client on the same
machine, from the request to the last byte, one request after the other.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import numpy as np
from msgspec import Struct

from gateway.bench.filled import TRACED, Volume, fill
from gateway.bench.instance import Instance
from gateway.problem import Problem
from tracking.store.database import connect

SEED: Final = 7
WARM_UP: Final = 3


class Took(Struct, frozen=True):
    """Milliseconds of one kind of request, and the bytes of an answer."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    requests: int
    bytes: int


class ReadingReport(Struct, frozen=True):
    """The figures.

    Attributes:
        rows, shipments, devices, traced: how full the database was (``Volume``).
        fill_s: seconds it took to fill it.
        trace, trace_geojson: a shipment's trace, whole.
        search: by the beginning of a number, a reference, a container.
        map: the last position of every device.
        map_viewport: the same of a viewport that holds about a tenth.
    """

    rows: int
    shipments: int
    devices: int
    traced: int
    fill_s: float
    trace: Took
    trace_geojson: Took
    search: Took
    map: Took
    map_viewport: Took


def measure(directory: Path, volume: Volume, requests: int, say: Callable[[str], None]) -> ReadingReport:
    """Run the benchmark.

    Args:
        directory: an empty one for everything it keeps.
        volume: how full the database is.
        requests: of each kind that is long; of searches ten times as many.
        say: told what happens, for people.
    """
    with Instance(directory) as instance:
        began = time.monotonic()
        with connect(instance.dsn) as conn:
            fill(conn, volume, say)
        filled = time.monotonic() - began
        reader = Reader(instance.endpoints.api or "", instance.home.secret("api_admin_key"))
        say("reading")
        trace = f"/v1/shipments/{TRACED}/trace"
        return ReadingReport(
            rows=volume.rows,
            shipments=volume.shipments,
            devices=volume.devices,
            traced=volume.traced,
            fill_s=round(filled, 1),
            trace=reader.times([trace] * requests),
            trace_geojson=reader.times([f"{trace}?format=geojson"] * requests),
            search=reader.times(searches(volume.shipments, requests * 10)),
            map=reader.times(["/v1/positions"] * requests),
            map_viewport=reader.times(["/v1/positions?bbox=120.5,31.0,120.6,31.7"] * requests),
        )


def searches(shipments: int, count: int) -> list[str]:
    """What people look for: whole numbers and beginnings, of shipments, declarations and containers."""
    draw = random.Random(SEED)  # noqa: S311 - the same questions each time
    found = []
    for place in range(count):
        number = f"{draw.randrange(max(shipments, 1)):08}"
        text = (
            f"FILL-{number}",
            f"FILL-{number[:5]}",
            f"QD2314{number}",
            f"QD2314{number[:4]}",
            f"FILU{number[1:]}",
            f"filu{number[1:5]}",
        )[place % 6]
        found.append(f"/v1/shipments?q={quote(text)}")
    return found


class Reader:
    """One client with one connection."""

    def __init__(self, address: str, key: str) -> None:
        self._address = urlsplit(address)
        self._headers = {"Authorization": f"Bearer {key}"}

    def times(self, paths: Sequence[str]) -> Took:
        """Ask for these, one after the other; the first few once more before, uncounted.

        Raises:
            Problem: an answer isn't 200.
        """
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=120)
        try:
            for path in paths[:WARM_UP]:
                self._ask(connection, path)
            took, sizes = [], []
            for path in paths:
                began = time.perf_counter()
                sizes.append(self._ask(connection, path))
                took.append(1000 * (time.perf_counter() - began))
        finally:
            connection.close()
        return Took(
            p50_ms=_percentile(took, 50),
            p99_ms=_percentile(took, 99),
            max_ms=round(max(took), 1),
            requests=len(took),
            bytes=max(sizes),
        )

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> int:
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Problem(f"GET {path} answered {answer.status}: {body[:300].decode(errors='replace')}")
        return len(body)


def _percentile(values: Sequence[float], rank: float) -> float:
    return round(float(np.percentile(values, rank, method="inverted_cdf")), 1)

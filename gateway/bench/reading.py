"""How long reading takes over HTTP: a long trace, search among many shipments, a live map, statistics.

The process that answers is the API as ``bondwatch up`` runs it; times are those of one client on the same
machine, from the request to the last byte, one request after the other.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote, urlsplit

import numpy as np
from msgspec import Struct

from gateway.bench.filled import SPAN, TRACED, TRUCKS, Volume, fill
from gateway.bench.ingest import waiting
from gateway.bench.instance import Instance, wait_for
from gateway.bench.plans import Plan, explaining
from gateway.problem import Problem
from tracking.exchange import coverage
from tracking.exchange.coverage import By
from tracking.store import latest, reading, traces
from tracking.store.database import Connection, connect, queries

SEED: Final = 7
WARM_UP: Final = 3
PAGE: Final = 200
PATIENCE_S: Final = 1200.0
ROUND_S: Final = 15.0
"""Within it the log grows, as long as there is something to append."""


Plans: TypeAlias = Sequence[tuple[str, Sequence[Plan]]]
"""By question."""


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
        rows, shipments, devices, traced, under_way: how full the database was (``Volume``).
        fill_s: seconds it took to fill it.
        trace, trace_geojson: a shipment's trace, whole.
        search: by the beginning of a number, a reference, a container, a truck that it was in.
        map: the last position of every device.
        map_viewport: the same of a viewport that holds about a tenth.
        statistics: custody coverage of four weeks, a page of as many shipments as a page holds by default.
    """

    rows: int
    shipments: int
    devices: int
    traced: int
    under_way: int
    fill_s: float
    trace: Took
    trace_geojson: Took
    search: Took
    map: Took
    map_viewport: Took
    statistics: Took


def measure(
    directory: Path, volume: Volume, requests: int, say: Callable[[str], None], *, explained: bool
) -> tuple[ReadingReport, Plans]:
    """Run the benchmark.

    Args:
        directory: an empty one for everything it keeps.
        volume: how full the database is.
        requests: of each kind that is long; of searches ten times as many.
        say: told what happens, for people.
        explained: whether the database is asked, too, how it goes about each question.

    Returns:
        The figures, and how the database went about each question.
    """
    with Instance(directory) as instance, connect(instance.dsn) as conn:
        began = time.monotonic()
        fill(conn, volume, say)
        wait_for(lambda: waiting(conn) == 0, PATIENCE_S, "every shipment to be judged", every_s=0.25)
        say("waiting until the log has all of it")
        sizes = [-1]
        wait_for(lambda: _is_still(conn, sizes), PATIENCE_S, "the log to catch up", every_s=ROUND_S)
        filled = time.monotonic() - began
        reader = Reader(instance.endpoints.api or "", instance.home.secret("api_admin_key"))
        say("reading")
        trace = f"/v1/shipments/{TRACED}/trace"
        until = datetime.now(UTC)
        during = f"since={quote((until - SPAN).isoformat())}&until={quote(until.isoformat())}"
        report = ReadingReport(
            rows=volume.rows,
            shipments=volume.shipments,
            devices=volume.devices,
            traced=volume.traced,
            under_way=volume.under_way,
            fill_s=round(filled, 1),
            trace=reader.times([trace] * requests),
            trace_geojson=reader.times([f"{trace}?format=geojson"] * requests),
            search=reader.times(
                [f"/v1/shipments?q={quote(text)}" for text in searches(volume.shipments, requests * 10)]
            ),
            map=reader.times(["/v1/positions"] * requests),
            map_viewport=reader.times(["/v1/positions?bbox=120.5,31.0,120.6,31.7"] * requests),
            statistics=reader.times([f"/v1/statistics/coverage?by=park&{during}&limit={PAGE}"] * requests),
        )
        return report, list(plans(conn, volume, (until - SPAN, until))) if explained else []


def _is_still(conn: Connection, sizes: list[int]) -> bool:
    """Whether the log is as long as when it was asked before."""
    (size,) = conn.execute(queries("bench")["log_size"]).fetchone() or (0,)
    sizes.append(int(size))
    return sizes[-2] == sizes[-1]


def plans(
    conn: Connection, volume: Volume, during: tuple[datetime, datetime]
) -> Iterator[tuple[str, list[Plan]]]:
    """How the database goes about each question; asked of the store as the API asks it."""
    row = reading.shipment(conn, TRACED)
    assert row is not None
    with explaining(conn) as found:
        carrying = reading.carriers(conn, row["shipment_id"])
        traces.positions(conn, carrying, since=during[0], until=during[1], limit=volume.traced)
    yield "Trace", found
    with explaining(conn) as found:
        for text in searches(volume.shipments, 1):
            reading.shipments(conn, search=text)
    yield "Search", found
    with explaining(conn) as found:
        latest.latest(conn, at=during[1], park=None, box=None, after=None, limit=volume.devices)
    yield "Live map", found
    with explaining(conn) as found, coverage.snapshot(conn):
        coverage.sums(conn, By.PARK, during, after=0, limit=PAGE)
    yield "Statistics", found


def searches(shipments: int, count: int) -> list[str]:
    """What people look for: numbers, whole and beginnings, of shipments, declarations, containers, trucks."""
    draw = random.Random(SEED)  # noqa: S311 - the same questions each time
    found = []
    for place in range(count):
        number = f"{draw.randrange(max(shipments, 1)):08}"
        texts = (
            f"FILL-{number}",
            f"FILL-{number[:5]}",
            f"QD2314{number}",
            f"QD2314{number[:4]}",
            f"FILU{number[1:]}",
            f"filu{number[1:5]}",
            f"FILT{int(number) % TRUCKS:04}",
        )
        found.append(texts[place % len(texts)])
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

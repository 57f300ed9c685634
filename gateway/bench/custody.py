"""What judging costs: events a second with the judge at work, and without it, in rounds of four legs.

1. four fresh sets of devices, each device with a shipment on it, and all that follows from that judged
2. on, off, off, on, the next round the other way about; each leg is half of a round's events
   on: from the first publish until everything is recorded and judged
   off: the judge stands still (SIGSTOP) from before the first publish until everything is recorded
3. before each leg the judge has caught up

The legs follow one another at once, and the two of a kind lie around the two of the other: load that comes
or goes meanwhile falls on both alike. The ratio is the median of the rounds' own. A leg before the first one
warms everything up and doesn't count. Then one event that comes behind 100,000 later ones of its device, some
times over.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

from devices.client import Device
from devices.observation import Position
from gateway.bench.generator import generator, send
from gateway.bench.ingest import recorded, waiting
from gateway.bench.instance import Instance, wait_for
from gateway.bench.stage import draw_zones, put_under_custody, register
from tracking.store.database import Connection, connect, queries

ZONE_HALF_DEG: Final = 0.016
"""Zones so large that 500 of them lie side by side: most devices are in one, and many come to the next."""

ON_OFF_OFF_ON: Final = (True, False, False, True)
OFF_ON_ON_OFF: Final = (False, True, True, False)

EVERY_S: Final = 3600
"""Expected interval of the devices: none falls silent while others are measured."""

REFOLDS: Final = 'bondwatch_judge_round_seconds_{}{{what="refolds"}}'


class Custody(Struct, frozen=True):
    """What is measured.

    Attributes:
        events: in a round, of each kind; a leg has half of them.
        shipments: in a round, of each kind, each with a device; a leg has half of them.
        zones: that positions are judged against.
        rounds: of each kind.
        later: events behind which one comes late.
        late: how many come late, one after the other.
    """

    events: int
    shipments: int
    zones: int
    rounds: int
    later: int = 100_000
    late: int = 15


class CustodyReport(Struct, frozen=True):
    """The figures: medians over the rounds; ``ratio`` is that of the rounds' own, not of the medians."""

    events_per_s_on: float
    events_per_s_off: float
    ratio: float
    refold_100k_ms: float


def measure(directory: Path, custody: Custody, say: Callable[[str], None]) -> CustodyReport:
    """Run the benchmark.

    Args:
        directory: an empty one for everything it keeps.
        custody: what is measured.
        say: told what happens, for people.
    """
    on: list[float] = []
    off: list[float] = []
    with Instance(directory) as instance, connect(instance.dsn) as conn:
        draw_zones(conn, custody.zones, ZONE_HALF_DEG)
        _leg(instance, conn, custody, _prepare(directory, conn, custody, "WARM"), is_judged=True)
        for number in range(custody.rounds):
            order = ON_OFF_OFF_ON if number % 2 == 0 else OFF_ON_ON_OFF
            legs = [(is_judged, f"R{number}-{leg}") for leg, is_judged in enumerate(order)]
            files = [_prepare(directory, conn, custody, name) for _, name in legs]
            took = {True: 0.0, False: 0.0}
            judgings = 0.0
            for (is_judged, _), file in zip(legs, files, strict=True):
                before = _judgings(instance)
                took[is_judged] += _leg(instance, conn, custody, file, is_judged=is_judged)
                judgings += is_judged * (_judgings(instance) - before)
            events = custody.events // 2 * 2
            on.append(events / took[True])
            off.append(events / took[False])
            say(
                f"round {number + 1}: {on[-1]:,.0f} events/s judged ({judgings:,.0f} judgings), "
                f"{off[-1]:,.0f} not: {on[-1] / off[-1]:.2f}"
            )
        say(f"events behind {custody.later:,} later ones")
        refold_s = _refold(directory, instance, conn, custody)
    rate_on, rate_off = statistics.median(on), statistics.median(off)
    return CustodyReport(
        events_per_s_on=round(rate_on, 1),
        events_per_s_off=round(rate_off, 1),
        ratio=round(statistics.median(x / y for x, y in zip(on, off, strict=True)), 3),
        refold_100k_ms=round(refold_s * 1000, 1),
    )


def _prepare(directory: Path, conn: Connection, custody: Custody, name: str) -> Path:
    """The devices and shipments of one leg, judged as far as they go; the file with the devices."""
    file = directory / f"{name}.jsonl"
    keys = register(conn, custody.shipments // 2, file, prefix=name, expected_every_s=EVERY_S)
    put_under_custody(conn, keys, custody.zones, name)
    _catch_up(conn)
    return file


def _leg(instance: Instance, conn: Connection, custody: Custody, file: Path, *, is_judged: bool) -> float:
    """Seconds that one leg took; the judge has caught up afterwards."""
    events = custody.events // 2
    before = recorded(conn)
    command = _load(instance, file, events, per_publish=10)
    if is_judged:
        sent = send(command)
        _until_recorded(conn, before + events)
        _catch_up(conn)
        ended_at = time.time()
    else:
        with _standing_still(instance, conn):
            sent = send(command)
            _until_recorded(conn, before + events)
            ended_at = time.time()
        _catch_up(conn)
    return float(ended_at - sent["started_at"])


def _refold(directory: Path, instance: Instance, conn: Connection, custody: Custody) -> float:
    """Median seconds of folding a device again for one late event, from taking the work to the commit."""
    file = directory / "late.jsonl"
    (key,) = register(conn, 1, file, prefix="LATE", expected_every_s=custody.later)
    before = recorded(conn)
    # One a second, as devices report: then a late one may change the runs of a minute, and nothing after it.
    send([*_load(instance, file, custody.later, per_publish=100), "--every", "1"])
    _until_recorded(conn, before + custody.later)
    _catch_up(conn)
    login = json.loads(file.read_text())
    rows = conn.execute(queries("bench")["first_fixes"], {"device_id": key, "limit": custody.late}).fetchall()
    host, _, port = instance.mqtt.rpartition(":")
    outbox = directory / "late.outbox"
    took = []
    device = Device(host, int(port), name=login["name"], password=login["secret"], outbox=outbox)
    try:
        for time_ms, lon, lat, speed_mps in rows:
            count, total = _refolds(instance)
            device.report_all([(time_ms, Position(lon, lat, accuracy_m=9.5, speed_mps=speed_mps))])
            wait_for(lambda: _refolds(instance)[0] > count, 60, "the late event to be folded", every_s=0.05)  # noqa: B023
            took.append(_refolds(instance)[1] - total)
    finally:
        device.close()
    return statistics.median(took)


def _judgings(instance: Instance) -> float:
    """Foldings of a shipment's facts so far."""
    return instance.metrics("judge").get("bondwatch_judge_judging_seconds_count", 0.0)


def _refolds(instance: Instance) -> tuple[float, float]:
    """How many re-folds there were, and the seconds of all of them."""
    said = instance.metrics("judge")
    return said.get(REFOLDS.format("count"), 0.0), said.get(REFOLDS.format("sum"), 0.0)


def _load(instance: Instance, file: Path, events: int, *, per_publish: int) -> list[str]:
    return [*generator(file, events, per_publish), "--mqtt", instance.mqtt]


def _until_recorded(conn: Connection, events: int) -> None:
    wait_for(lambda: recorded(conn) >= events, 300, "every event to be recorded", every_s=0.05)


def _catch_up(conn: Connection) -> None:
    wait_for(lambda: waiting(conn) == 0, 300, "every change to be judged", every_s=0.05)


@contextmanager
def _standing_still(instance: Instance, conn: Connection) -> Iterator[None]:
    """The judge is stopped where it holds nothing that others would wait for."""
    judge = psutil.Process(instance.endpoints.processes["judge"].pid)

    def stands() -> bool:
        judge.suspend()
        (busy,) = conn.execute(queries("bench")["judge_in_transaction"]).fetchone() or (0,)
        if busy:
            judge.resume()
        return not busy

    try:
        wait_for(stands, 30, "the judge to hold nothing")
        yield
    finally:
        judge.resume()

"""What an event costs when everything is ten times as much: devices, zones, shipments, rows; each by itself.

Two installations stand side by side: one of the common size, one that has ten times as much of one thing. The
same load goes to one, to the other, to the other, to the one (A B B A), each time until everything is judged;
the CPU of an installation's processes is divided by the events. Load that comes or goes on the machine falls
on both alike, so the ratio holds where the figures themselves drift.

What grows, and what stays: devices come with a shipment each, and report as often as before; ten times the
zones lie on ten times the land; ten times the shipments are kept while as many as before are on the move; ten
times the rows lie in the weeks before.

A device drives on where the leg before left it, and reports once a second by its own clock: so much time must
have gone by since, and what an idle installation spends in it doesn't count. Nor does connecting.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.bench.cpu import tree_seconds
from gateway.bench.filled import fill_rows
from gateway.bench.generator import can_connect, generator, send
from gateway.bench.ingest import recorded, waiting
from gateway.bench.instance import Instance, wait_for
from gateway.bench.stage import draw_zones, put_at_rest, put_under_custody, register
from tracking.store.database import Connection, connect


class Dimension(StrEnum):
    """What there may be more of; a field of ``Size`` each."""

    DEVICES = "devices"
    ZONES = "zones"
    SHIPMENTS = "shipments"
    ROWS = "rows"


PER_PUBLISH: Final = 10
SEED: Final = 7
EVERY_S: Final = 3600
"""Expected interval of the devices: none falls silent while others are measured."""

PATIENCE_S: Final = 900.0


class Size(Struct, frozen=True):
    """How much there is.

    Attributes:
        devices: that report, in turn; each has a shipment on it.
        zones: that positions are judged against.
        shipments: on the move or at rest.
        rows: observations recorded before.
    """

    devices: int
    zones: int
    shipments: int
    rows: int


class Growth(Struct, frozen=True):
    """CPU per event in microseconds, at the common size and with ten times as much, and their ratio."""

    dimension: str
    size: int
    grown: int
    cpu_us_per_event: float
    grown_cpu_us_per_event: float
    ratio: float


class GrowthReport(Struct, frozen=True):
    """One entry a dimension, and the worst ratio of all; ``each`` events of a device in each leg."""

    growth: list[Growth]
    worst: float
    each: int
    factor: int


class Standing:
    """An installation under load.

    Args:
        instance: runs.
        conn: to its database.
        devices_file: the logins of its devices.
        devices: how many that are.
    """

    def __init__(self, instance: Instance, conn: Connection, devices_file: Path, devices: int) -> None:
        self._instance = instance
        self._conn = conn
        self._devices_file = devices_file
        self._devices = devices
        self._sent_each = 0
        self._reported_s = 0.0

    def cpu_us_per_event(self, each: int) -> float:
        """Send so many events of each device, wait until all of it is judged, and say what an event cost."""
        events, at, spent = each * self._devices, recorded(self._conn), list[float]()
        time.sleep(max(0.0, self._reported_s + each - time.time()))
        self._reported_s = time.time()
        onward = ["--seed", str(SEED), "--skip", str(self._sent_each), "--every", "1"]
        send(
            [*generator(self._devices_file, events, PER_PUBLISH), *onward, "--mqtt", self._instance.mqtt],
            lambda: spent.append(tree_seconds([self._instance.pid])),
        )
        self._sent_each += each
        wait_for(
            lambda: recorded(self._conn) >= at + events,
            PATIENCE_S,
            "every event to be recorded",
            every_s=0.1,
        )
        self.catch_up()
        return (tree_seconds([self._instance.pid]) - spent[0]) / events * 1e6

    def catch_up(self) -> None:
        """Wait until nothing is owed."""
        wait_for(lambda: waiting(self._conn) == 0, PATIENCE_S, "every change to be judged", every_s=0.1)


def measure(
    directory: Path,
    size: Size,
    each: int,
    factor: int,
    rounds: int,
    dimensions: Sequence[Dimension],
    say: Callable[[str], None],
) -> GrowthReport:
    """Run the benchmark.

    Args:
        directory: an empty one for everything it keeps.
        size: the common one.
        each: events of a device in each leg.
        factor: how many times as much the other installation has of one thing.
        rounds: of four legs, for each dimension.
        dimensions: what grows, one after the other.
        say: told what happens, for people.
    """
    can_connect(max(grow(size, dimension, factor).devices for dimension in dimensions))
    found = []
    with standing(directory / "common", size, size.zones, say) as common:
        common.cpu_us_per_event(each)  # warms it up
        for dimension in dimensions:
            grown = grow(size, dimension, factor)
            with standing(directory / dimension, grown, size.zones, say) as other:
                other.cpu_us_per_event(each)
                found.append(_compare(common, other, size, grown, dimension, each, rounds))
            say(f"{dimension} {found[-1].size:,} → {found[-1].grown:,}: {found[-1].ratio:.2f}")
    return GrowthReport(found, max(one.ratio for one in found), each, factor)


def grow(size: Size, dimension: Dimension, factor: int) -> Size:
    """Ten times as much of one thing."""
    grown = replace(size, **{dimension: getattr(size, dimension) * factor})
    return replace(grown, shipments=max(grown.shipments, grown.devices))


def _compare(
    common: Standing, other: Standing, size: Size, grown: Size, dimension: str, each: int, rounds: int
) -> Growth:
    few: list[float] = []
    many: list[float] = []
    ratios = []
    for _ in range(rounds):
        legs = [one.cpu_us_per_event(each) for one in (common, other, other, common)]
        few += [legs[0], legs[3]]
        many += legs[1:3]
        ratios.append((legs[1] + legs[2]) / (legs[0] + legs[3]))
    return Growth(
        dimension=dimension,
        size=getattr(size, dimension),
        grown=getattr(grown, dimension),
        cpu_us_per_event=round(statistics.median(few), 1),
        grown_cpu_us_per_event=round(statistics.median(many), 1),
        ratio=round(statistics.median(ratios), 3),
    )


@contextmanager
def standing(
    directory: Path, size: Size, zones_a_tile: int, say: Callable[[str], None]
) -> Iterator[Standing]:
    """An installation of a size, everything judged that there is to judge.

    Args:
        directory: not there yet.
        size: how much there is.
        zones_a_tile: zones on the land that the devices drive over; the others lie beyond.
        say: told what happens.
    """
    directory.mkdir()
    directory.chmod(0o711)  # the database may run as another user
    sizes = ", ".join(f"{getattr(size, one):,} {one}" for one in Dimension)
    say(f"making an installation with {sizes}")
    devices_file = directory / "devices.jsonl"
    with Instance(directory) as instance, connect(instance.dsn) as conn:
        for tile in range(-(-size.zones // zones_a_tile)):
            draw_zones(conn, min(zones_a_tile, size.zones - tile * zones_a_tile), tile=tile)
        keys = register(conn, size.devices, devices_file, expected_every_s=EVERY_S)
        put_under_custody(conn, keys, zones_a_tile, "MOVING")
        put_at_rest(conn, size.shipments - size.devices, zones_a_tile)
        if size.rows:
            fill_rows(conn, size.rows, lambda _: None)
        stands = Standing(instance, conn, devices_file, size.devices)
        stands.catch_up()
        yield stands

"""How many events a second the road takes with custody on, and what each costs, all processes together.

Broker, database, gateway, judge and API run as ``bondwatch up`` runs them; the generator is another process
on the same machine. The CPU of all of them, from the moment at which every device is connected, is divided
by the events, and by the floor of the same run.

1. floor: the same messages, published and pulled untouched
2. the road, until everything is recorded and judged
3. floor: a bare insert of the same rows
4. floor: as 1

A machine that others use, too, is slower at times; the floor on either side of the road tells how much.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from math import ceil
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.bench import floor
from gateway.bench.cpu import tree_seconds
from gateway.bench.generator import can_connect, cpu_s, generator, send
from gateway.bench.instance import Instance, wait_for
from gateway.bench.mosquitto import Mosquitto
from gateway.bench.stage import draw_zones, put_under_custody, register
from tracking.store import positions, work
from tracking.store.database import Connection, connect, queries

STEPS: Final = {
    "gateway": "bondwatch_step_cpu_seconds_total",
    "judge": "bondwatch_judge_step_cpu_seconds_total",
}


class Load(Struct, frozen=True):
    """What is sent.

    Attributes:
        events: in all.
        devices: that share them.
        per_publish: events in one MQTT message.
        zones: that their positions are judged against.
        shipments: under custody, on the first so many of the devices.
        workers: gateway processes.
        through_mosquitto: instead of the embedded broker.
    """

    events: int
    devices: int
    per_publish: int
    zones: int
    shipments: int
    workers: int
    through_mosquitto: bool = False


class IngestReport(Struct, frozen=True):
    """The figures. CPU is in microseconds an event.

    Attributes:
        seconds: from the first publish until the last commit is seen.
        connect_ms: CPU of the system for each device that connects; not part of the rest.
        step_us_per_event: by step of the road and of judging, without what the database does for it.
        process_us_per_event: by process; the database's are one.
        floors_us_per_event: of publishing and pulling, before and after.
    """

    events_per_s: float
    seconds: float
    lost: int
    doubled: int
    batch_p50: int
    connect_ms: float
    step_us_per_event: dict[str, float]
    process_us_per_event: dict[str, float]
    cpu_us_per_event: float
    floors_us_per_event: tuple[float, float]
    floor_cpu_us_per_event: float
    ratio_to_floor: float


def measure(directory: Path, load: Load, say: Callable[[str], None]) -> IngestReport:
    """Run the benchmark.

    Args:
        directory: an empty one for everything it keeps.
        load: what is sent.
        say: told what happens, for people.
    """
    can_connect(load.devices)
    devices_file = directory / "devices.jsonl"
    generate = generator(devices_file, load.events, load.per_publish)
    share, more = divmod(load.events, load.devices)
    messages = (load.devices - more) * ceil(share / load.per_publish) + more * ceil(
        (share + 1) / load.per_publish
    )
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(directory / "mosquitto")) if load.through_mosquitto else None
        instance = stack.enter_context(
            Instance(directory, workers=load.workers, broker=broker.address if broker else None)
        )
        conn = stack.enter_context(connect(instance.dsn))
        more_pids = {"mosquitto": broker.pid} if broker else {}
        say(f"registering {load.devices} devices, drawing {load.zones} zones, {load.shipments} shipments")
        draw_zones(conn, load.zones)
        keys = register(conn, load.devices, devices_file)
        put_under_custody(conn, keys[: load.shipments], load.zones, "LOAD")
        wait_for(lambda: waiting(conn) == 0, 300, "every shipment to be judged", every_s=0.25)
        say("floor: the same messages, published and pulled untouched")
        before_s = floor.publish_and_pull(directory / "floor-1", generate, messages)
        say(f"sending {load.events} events, {load.per_publish} a message")
        spent_by = partial(_Spent.by, instance, more_pids)
        idle, connected = spent_by(), list[_Spent]()
        sent = send([*generate, "--mqtt", instance.mqtt], lambda: connected.append(spent_by()))
        wait_for(lambda: recorded(conn) >= load.events, 600, "every event to be recorded", every_s=0.05)
        seconds = time.time() - sent["started_at"]
        wait_for(lambda: waiting(conn) == 0, 300, "every change to be judged", every_s=0.25)
        spent = spent_by().since(connected[0])
        events, doubled = _counts(conn)
        (batch_p50,) = conn.execute(queries("bench")["batch_sizes"]).fetchone() or (0,)
        say("floor: a bare insert of the same rows")
        insert_s, rows = floor.insert(
            instance.dsn, instance.endpoints.processes["postgres"].pid, limit=min(load.events, 100_000)
        )
        say("floor: the same messages, once more")
        after_s = floor.publish_and_pull(directory / "floor-2", generate, messages)
    bottom_s = (before_s + after_s) / 2 / load.events + insert_s / rows
    whole_s = (spent.whole_s + cpu_s(sent)) / events
    return IngestReport(
        events_per_s=round(events / seconds, 1),
        seconds=round(seconds, 2),
        lost=max(0, sent["published"] - events),
        doubled=doubled,
        batch_p50=batch_p50,
        connect_ms=round(connected[0].since(idle).whole_s / load.devices * 1e3, 2),
        step_us_per_event=_each(spent.steps_s, events),
        process_us_per_event=_each({**spent.processes_s, "generator": cpu_s(sent)}, events),
        cpu_us_per_event=round(whole_s * 1e6, 1),
        floors_us_per_event=(round(before_s / load.events * 1e6, 1), round(after_s / load.events * 1e6, 1)),
        floor_cpu_us_per_event=round(bottom_s * 1e6, 1),
        ratio_to_floor=round(whole_s / bottom_s, 2),
    )


def recorded(conn: Connection) -> int:
    """Events recorded so far."""
    (events,) = conn.execute(queries("bench")["recorded"]).fetchone() or (0,)
    return int(events)


def waiting(conn: Connection) -> int:
    """Rows of work that are owed."""
    return work.unfinished(conn, positions.watermark(conn))


def _counts(conn: Connection) -> tuple[int, int]:
    row = conn.execute(queries("bench")["counts"]).fetchone()
    assert row is not None
    return row[0], row[1]


class _Spent(Struct, frozen=True):
    """CPU seconds of an installation: all of it, and of that by process and by step."""

    whole_s: float
    processes_s: dict[str, float]
    steps_s: dict[str, float]

    @classmethod
    def by(cls, instance: Instance, more_pids: dict[str, int]) -> _Spent:
        """So far; with processes that are none of the installation's own."""
        pids = {name: process.pid for name, process in instance.endpoints.processes.items()} | more_pids
        steps = {
            f"{kind} {sample.split(chr(34))[1]}": value
            for kind, metric in STEPS.items()
            for sample, value in instance.metrics(kind).items()
            if sample.startswith(metric + "{")
        }
        parts = {name: tree_seconds([pid]) for name, pid in pids.items()}
        return cls(tree_seconds([instance.pid, *more_pids.values()]), parts, steps)

    def since(self, before: _Spent) -> _Spent:
        """What was spent after an earlier reading."""
        return _Spent(
            self.whole_s - before.whole_s,
            {name: s - before.processes_s.get(name, 0.0) for name, s in self.processes_s.items()},
            {name: s - before.steps_s.get(name, 0.0) for name, s in self.steps_s.items()},
        )


def _each(seconds: dict[str, float], events: int) -> dict[str, float]:
    """Microseconds an event."""
    return {name: round(s / events * 1e6, 2) for name, s in seconds.items()}

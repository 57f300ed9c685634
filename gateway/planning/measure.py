"""Renews the figures: an installation of its own, devices with a shipment each, one event a message."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from gateway.bench import stage
from gateway.bench.cpu import tree_seconds
from gateway.bench.generator import can_connect, send
from gateway.bench.ingest import recorded, waiting
from gateway.bench.instance import Instance, wait_for
from gateway.interrupts import ended_in_any_case
from gateway.planning.figures import Bytes, Costs, Figures, Memory
from tracking.store import registry
from tracking.store.database import Connection, connect, queries

ZONES: Final = 500
IDLE_S: Final = 10.0
"""In which each device says one thing, while the broker's memory is looked at."""

SILENT: Final = 20_000
"""Devices that are registered besides, to see what one adds to a worker."""


def measure(
    directory: Path, events: int, devices: int, compression_ratio: float, say: Callable[[str], None]
) -> Figures:
    """Send events through everything, and divide.

    Args:
        directory: an empty one.
        events: to send.
        devices: that share them, each on a connection of its own.
        compression_ratio: of TimescaleDB, measured elsewhere (``tests.bench.storage``).
        say: told what happens, for people.
    """
    can_connect(devices)
    logins, idle_logins = directory / "devices.jsonl", directory / "idle.jsonl"
    with Instance(directory) as instance, connect(instance.dsn) as conn:
        generate = [
            sys.executable, "-m", "simulators.load", "--per-publish", "1", "--json",
            "--mqtt", instance.mqtt, "--devices-file",
        ]  # fmt: skip
        say(f"registering {devices} devices with a shipment each, drawing {ZONES} zones")
        stage.draw_zones(conn, ZONES)
        keys = stage.register(conn, devices, logins)
        stage.put_under_custody(conn, keys, ZONES, "PLAN")
        wait_for(lambda: waiting(conn) == 0, 300, "every shipment to be judged", every_s=0.5)
        empty = _memory(instance)
        say("connecting them")
        stage.register(conn, devices, idle_logins, prefix="IDLE")
        idle = [*generate, str(idle_logins), "--events", str(devices), "--rate", str(devices / IDLE_S)]
        connected = _peak(instance, "nats", idle)
        wait_for(lambda: recorded(conn) >= devices, 300, "every event to be recorded", every_s=0.1)
        wait_for(lambda: waiting(conn) == 0, 300, "every shipment to be judged", every_s=0.5)
        size, series, log = _sizes(conn)
        stored_before, before = asyncio.run(_stream_bytes(instance)), _cpu(instance)
        say(f"sending {events} events, one a message, as fast as they are taken")
        send([*generate, str(logins), "--events", str(events)])
        wait_for(lambda: recorded(conn) >= devices + events, 600, "every event to be recorded", every_s=0.1)
        wait_for(lambda: waiting(conn) == 0, 300, "every change to be judged", every_s=0.5)
        spent = {name: seconds - before[name] for name, seconds in _cpu(instance).items()}
        filled, size_after, series_after, log_after = _memory(instance), *_sizes(conn)
        body = conn.execute(queries("bench")["mean_body"]).fetchone()
        assert body is not None
        stored = asyncio.run(_stream_bytes(instance))
        say(f"registering {SILENT} devices more")
        with conn.transaction():
            registry.lock_reference(conn)
            more = {"count": SILENT, "park": stage.PARK, "at": datetime.now(UTC)}
            conn.execute(queries("bench")["many_devices"], more)
        more_events = 10 * devices
        # So that the worker reads its devices anew.
        send([*generate, str(logins), "--events", str(more_events)])
        wait_for(
            lambda: recorded(conn) >= devices + events + more_events,
            300,
            "every event to be recorded",
            every_s=0.1,
        )
        crowded = _memory(instance)
    per_event = {name: round(seconds / events * 1e6, 1) for name, seconds in spent.items()}
    return Figures(
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{_processor()}, {os.cpu_count()} cores, everything on them, the devices too",
        events=events,
        devices=devices,
        cpu_us=Costs(
            broker=per_event["nats"],
            database=per_event["postgres"],
            gateway=per_event["gateway-1"],
            judge=per_event["judge"],
        ),
        memory=Memory(
            broker=empty["nats"],
            gateway=filled["gateway-1"],
            judge=filled["judge"],
            api=filled["api"],
            broker_per_device=max(0, connected - empty["nats"]) // devices,
            gateway_per_device=max(0, crowded["gateway-1"] - filled["gateway-1"]) // SILENT,
        ),
        bytes=Bytes(
            body=round(body[0], 1),
            stream=round((stored - stored_before) / events, 1),
            database=round((size_after - size) / events, 1),
            log=round((log_after - log) / events, 1),
            series=round((series_after - series) / events, 1),
            compression_ratio=compression_ratio,
        ),
    )


def _peak(instance: Instance, name: str, load: list[str]) -> int:
    """The most memory that a process holds while a generator runs."""
    process = psutil.Process(instance.endpoints.processes[name].pid)
    most = 0
    with (
        subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as generator,
        ended_in_any_case(generator),
    ):
        while generator.poll() is None:
            most = max(most, int(process.memory_info().rss))
            time.sleep(0.2)
    return most


def _cpu(instance: Instance) -> dict[str, float]:
    return {name: tree_seconds([one.pid]) for name, one in instance.endpoints.processes.items()}


def _memory(instance: Instance) -> dict[str, int]:
    return {
        name: int(psutil.Process(one.pid).memory_info().rss)
        for name, one in instance.endpoints.processes.items()
    }


def _sizes(conn: Connection) -> tuple[int, int, int]:
    row = conn.execute(queries("bench")["size_and_log"]).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


async def _stream_bytes(instance: Instance) -> int:
    from natsrpy import Nats  # noqa: PLC0415 - only when it is measured

    from gateway.sources import stream  # noqa: PLC0415
    from gateway.subjects import STREAM  # noqa: PLC0415

    client = Nats(
        addrs=[instance.endpoints.nats or ""],
        user_and_pass=("gateway", instance.home.secret("nats_gateway_password")),
    )
    await client.startup()

    async def request(subject: str, payload: bytes) -> bytes:
        answer: Any = await client.request(subject, payload)
        return bytes(answer.payload)

    try:
        found = await stream.call(request, f"$JS.API.STREAM.INFO.{STREAM}")
        return int(found["state"]["bytes"])
    finally:
        await client.shutdown()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"

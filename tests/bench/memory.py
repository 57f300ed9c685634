"""What each process keeps in memory with many devices: ``python -m tests.bench.memory [DEVICES] [ROUNDS]``.

The embedded default behind a Mosquitto, through which one client speaks for all devices: as many connections
don't fit on one machine. In each round every device sends a message of five positions, ten seconds apart, on
its way among 500 zones. Prints JSON: ``devices``, ``recorded`` and, by process, the resident megabytes
before and after each round (shared pages counted once).
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.bench.ingest import recorded
from gateway.bench.instance import Instance, wait_for
from gateway.bench.mosquitto import Mosquitto
from gateway.bench.stage import EAST, NORTH, PARK, SOUTH, WEST, draw_zones
from gateway.interrupts import end_as_by_ctrl_c
from tests.bench.soak import resident_mb
from tests.support.brokers import mosquitto_program
from tracking.store import registry
from tracking.store.database import Connection, connect, queries

ZONES: Final = 500
PER_MESSAGE: Final = 5
EVERY: Final = timedelta(seconds=10)
PREFIX: Final = "MANY-"
UNANSWERED: Final = 1000
PATIENCE_S: Final = 600.0


def main(devices: int = 100_000, rounds: int = 3) -> None:
    """Measure; see the module."""
    end_as_by_ctrl_c()
    program, environment = mosquitto_program()
    os.environ |= environment | {"PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o711)  # the database may run as another user
        broker = stack.enter_context(Mosquitto(directory / "mosquitto"))
        instance = stack.enter_context(Instance(directory, broker=broker.address))
        conn = stack.enter_context(connect(instance.dsn))
        register(conn, devices)
        used = [resident(instance)]
        begins = datetime.now(UTC) - EVERY * PER_MESSAGE * rounds
        for number in range(rounds):
            publish(broker, devices, number, begins + EVERY * PER_MESSAGE * number)
            wanted = devices * PER_MESSAGE * (number + 1)
            wait_for(lambda wanted=wanted: recorded(conn) >= wanted, PATIENCE_S, "all to be recorded")
            used.append(resident(instance))
            print(f"round {number + 1} of {rounds}: {used[-1]}", file=sys.stderr)
        found = {part: [one[part] for one in used] for part in used[-1]}
        print(json.dumps({"devices": devices, "recorded": recorded(conn), "resident_mb": found}))


def register(conn: Connection, devices: int) -> None:
    draw_zones(conn, ZONES)
    since = datetime.now(UTC) - timedelta(days=1)
    given = {"park": PARK, "prefix": PREFIX, "devices": devices, "since": since}
    with conn.transaction():
        registry.lock_reference(conn)
        conn.execute(queries("bench")["fill_devices"], given)


def publish(broker: Mosquitto, devices: int, number: int, begins: datetime) -> None:
    """One message of each device, at most a thousand of them unanswered."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="many")
    client.max_inflight_messages_set(UNANSWERED)
    host, _, port = broker.address.rpartition(":")
    client.connect(host, int(port))
    client.loop_start()
    under_way: list[paho.MQTTMessageInfo] = []
    for device in range(1, devices + 1):
        topic = f"bw/v1/{PARK}/{PREFIX}{device:06}/events"
        under_way.append(client.publish(topic, json.dumps(positions(device, number, begins)).encode(), qos=1))
        if len(under_way) == UNANSWERED:
            for one in under_way:
                one.wait_for_publish(PATIENCE_S)
            under_way.clear()
    for one in under_way:
        one.wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def positions(device: int, number: int, begins: datetime) -> list[dict[str, Any]]:
    """A device's way goes on from round to round, at some 20 m/s."""
    way = random.Random(device)
    lon, lat = way.uniform(WEST, EAST), way.uniform(SOUTH, NORTH)
    east, north = way.uniform(-0.002, 0.002), way.uniform(-0.002, 0.002)
    first = number * PER_MESSAGE
    return [
        {
            "run": 1, "seq": first + step + 1, "time": (begins + EVERY * step).isoformat(),
            "type": "position", "lon": round(lon + (first + step) * east, 6),
            "lat": round(lat + (first + step) * north, 6),
            "accuracy_m": 8,
        }
        for step in range(PER_MESSAGE)
    ]  # fmt: skip


def resident(instance: Instance) -> dict[str, float]:
    time.sleep(5)  # caches are told, garbage is collected
    found = instance.endpoints.processes
    return {name: round(resident_mb(process.pid), 1) for name, process in found.items()}


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))

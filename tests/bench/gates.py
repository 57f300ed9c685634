"""How long a vehicle waits at the barrier: ``python -m tests.bench.gates [ARRIVALS] [OTHER_EVENTS_PER_S]``.

The embedded default with everything running. 20 gates of one zone, each with a pass and a loaded box for
every arrival, 5 arrivals a second; time from before the publish (QoS 1) to the command ``decision``
received over MQTT. Positions of other devices are sent beside it by ``simulators.load``. Prints milliseconds
as JSON; an arrival without a decision counts as the deadline. Exit code 1: there was one, or another decision
than ``open``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from devices.identifiers import own_thing, parse_thing
from gateway.bench.instance import Instance
from gateway.bench.stage import PARK, set_stage
from gateway.interrupts import end_as_by_ctrl_c
from tracking.domain.custody import documents as bodies
from tracking.store import credentials, documents, registry, shipments
from tracking.store.database import Connection, connect
from tracking.store.documents import About

GATES: Final = 20
PER_S: Final = 5.0
DEADLINE_S: Final = 20
WANTED: Final = "open"
"""Every arrival has an approved pass for its plate and its box."""

ZONE: Final = "BENCH-CBZ"
LEG: Final = {"type": "stay", "zones": [ZONE]}


def square(lon: float, lat: float, half: float) -> dict[str, Any]:
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    return {"type": "Polygon", "coordinates": [[[lon + x * half, lat + y * half] for x, y in corners]]}


def set_gates(conn: Connection, arrivals: int) -> dict[str, str]:
    """Gates with their secrets; a pass and a shipment in a box on the vehicle for each arrival."""
    now = datetime.now(UTC)
    since = now - timedelta(days=1)
    secrets = {}
    with conn.transaction():
        registry.lock_reference(conn)
        places = [(ZONE, "cbz", 0.0, 0.01, {})]
        places += [(f"G-{n}", "gate", 0.002 * n, 0.0005, {"parent": ZONE}) for n in range(GATES)]
        for code, kind, east, half, properties in places:
            registry.put_area(
                conn,
                code=code,
                kind=kind,
                park=PARK,
                geometry=square(119.0 + east, 30.0, half),
                tolerance_m=None,
                properties=properties,
                valid_from=since,
                recorded_at=now,
                recorded_by="bench",
            )
    with conn.transaction():
        for number in range(GATES):
            device_id = registry.add_device(
                conn, park=PARK, code=f"G-{number}", kind="gate", name="", datum="wgs84", expected_every_s=60,
                registered_at=since,
            )  # fmt: skip
            assert device_id is not None
            secrets[f"{PARK}/G-{number}"] = credentials.issue(conn, device_id, now)
    for number in range(arrivals):
        body = bodies.read(
            "pass",
            {
                "type": 2,
                "direction": "in",
                "zone": ZONE,
                "vehicle": plate(number),
                "containers": [box(number)],
            },
        )
        paper, things = (
            own_thing("pass", f"Z-{number}"),
            [parse_thing(plate(number)), parse_thing(box(number))],
        )
        for said, about in (
            (body, [paper, *things]),
            (bodies.read("pass_state", {"state": "approved"}), [paper]),
        ):
            documents.add(
                conn, number=f"Z-{number}", time=now - timedelta(minutes=30), body=said, source="declared",
                about=About((), about), by="bench", recorded_at=now,
            )  # fmt: skip
        with conn.transaction():
            shipments.create(
                conn, number=f"S-{number}", park=PARK, reference="", things=[box(number)],
                terms={"legs": [LEG]}, valid_from=since, recorded_at=now, recorded_by="bench",
            )  # fmt: skip
    return secrets


def plate(number: int) -> str:
    return f"苏E{10_000 + number}"


def box(number: int) -> str:
    return f"BOX-{number}"


class GateClient:
    """One gate: publishes, and notes when it was answered."""

    def __init__(self, host: str, port: int, name: str, secret: str) -> None:
        self.name, self.run, self.seq = name, int(time.time()), 0
        self.answered: dict[int, tuple[float, str]] = {}
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.username_pw_set(name, secret)
        self._client.on_connect = lambda client, *_: client.subscribe(f"bw/v1/{name}/commands", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _d, message: self._hears(message.payload)
        self._client.connect(host, port)
        self._client.loop_start()
        assert self._ready.wait(20)

    def arrives(self, number: int) -> float:
        self.seq += 1
        event = {
            "run": self.run, "seq": self.seq, "time": time.time_ns() // 1_000_000, "type": "gate",
            "gate": self.name.partition("/")[2], "lane": "1", "direction": "in", "plate": plate(number),
            "plate_confidence": 0.98, "containers": [box(number)], "pass": f"Z-{number}",
        }  # fmt: skip
        begun = time.perf_counter()
        self._client.publish(f"bw/v1/{self.name}/events", json.dumps(event).encode(), qos=1)
        return begun

    def _hears(self, payload: bytes) -> None:
        heard = time.perf_counter()
        command = json.loads(payload)
        if command["command"] == "decision":
            self.answered[command["args"]["arrival"]["seq"]] = (heard, command["args"]["decision"])

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Arrival(NamedTuple):
    """What came of one; None: nothing, within the deadline."""

    took_ms: float | None
    decision: str | None


def measure(arrivals: int, rate: int) -> dict[str, Any]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)  # the database may run as another user
        instance = stack.enter_context(Instance(directory))
        logins = directory / "devices"
        with connect(instance.dsn) as conn:
            set_stage(conn, 200, 50, logins)
            secrets = set_gates(conn, arrivals + GATES)
        host, _, port = instance.mqtt.rpartition(":")
        clients = [
            stack.enter_context(closing(GateClient(host, int(port), name, secret)))
            for name, secret in secrets.items()
        ]
        time.sleep(10)  # the shipments are judged, the caches have met the devices
        if rate:
            stack.enter_context(beside(instance.mqtt, logins, rate, arrivals / PER_S + 20))
            time.sleep(8)
        begun: list[tuple[GateClient, int, float]] = []
        start = time.perf_counter()
        for number in range(arrivals + GATES):
            wait = start + number / PER_S - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            client = clients[number % GATES]
            begun.append((client, client.seq + 1, client.arrives(number)))
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and any(seq not in client.answered for client, seq, _ in begun):
            time.sleep(0.1)
        came = [_came(client, seq, at) for client, seq, at in begun]
    return figures(came[:GATES], came[GATES:], rate)


@contextmanager
def beside(mqtt: str, logins: Path, rate: int, seconds: float) -> Iterator[None]:
    """Positions of other devices for so long."""
    command = [
        sys.executable, "-m", "simulators.load", "--mqtt", mqtt, "--devices-file", str(logins),
        "--events", str(round(rate * seconds)), "--per-publish", "5", "--rate", str(rate), "--json",
    ]  # fmt: skip
    other = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        other.terminate()
        other.wait()


def _came(client: GateClient, seq: int, at: float) -> Arrival:
    heard, decision = client.answered.get(seq, (None, None))
    return Arrival(None if heard is None else 1000 * (heard - at), decision)


def figures(warming: Sequence[Arrival], counted: Sequence[Arrival], rate: int) -> dict[str, Any]:
    """The figures; those that warm up have no part in the times."""
    took = sorted(1000 * DEADLINE_S if one.took_ms is None else one.took_ms for one in counted)
    said = [one.decision for one in counted if one.decision is not None]
    everyone = [one.decision for one in (*warming, *counted)]
    return {
        "arrivals": len(counted),
        "answered": len(said),
        "unanswered": everyone.count(None),
        "wrong": sum(decision not in {None, WANTED} for decision in everyone),
        "decisions": {word: said.count(word) for word in sorted(set(said))},
        "other_events_per_s": rate,
        "p50_ms": round(took[len(took) // 2], 1),
        "p90_ms": round(took[int(len(took) * 0.9)], 1),
        "p99_ms": round(took[int(len(took) * 0.99)], 1),
        "max_ms": round(took[-1], 1),
    }


def fault(found: dict[str, Any]) -> bool:
    """Whether a gate wasn't answered, or not as it must be."""
    return bool(found.get("unanswered") or found.get("wrong"))


def main() -> int:
    """Measure; see the module."""
    given = [int(text) for text in sys.argv[1:]]
    end_as_by_ctrl_c()
    found = measure(*(given + [300, 0][len(given) :]))
    print(json.dumps(found))
    return 1 if fault(found) else 0


if __name__ == "__main__":
    sys.exit(main())

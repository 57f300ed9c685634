"""Mosquitto lets in registered devices only, each only as itself, with the files that we write for it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from typer.testing import CliRunner

from gateway.commands.device import app
from gateway.problem import Problem
from gateway.sources.leases import SessionLeases
from gateway.sources.mqtt import MqttSource
from gateway.sources.mqtt_terms import Address
from tests.support.brokers import Mosquitto, free_ports, mosquitto, running
from tests.support.sources import run, until
from tracking.store import registry
from tracking.store.database import Connection

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto" / "mosquitto.conf"
PATIENCE_S = 10
SERVICE_PASSWORD = "a long service password"


class Command:
    """``bondwatch device`` against this test's database."""

    def __init__(self, dsn: str) -> None:
        self._environment = {
            "BONDWATCH_DATABASE_DSN": dsn,
            "BONDWATCH_BROKER_URL": "mqtt://127.0.0.1",
            "BONDWATCH_BROKER_PASSWORD": SERVICE_PASSWORD,
        }

    def __call__(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), env=self._environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def add(self, code: str) -> str:
        secret: str = json.loads(self("add", code, "--park", "SIP", "--json"))["secret"]
        return secret


@pytest.fixture
def command(database: str, conn: Connection) -> Command:
    registry.put_park(conn, "SIP", name_en="SIP", name_zh="苏州工业园区", time_zone="Asia/Shanghai")
    return Command(database)


@pytest.fixture
def broker(tmp_path: Path, command: Command) -> Iterator[Mosquitto]:
    """Mosquitto with the configuration that we deploy; only paths and ports are this test's own."""
    directory = tmp_path / "mosquitto"
    directory.mkdir()
    made = mosquitto(directory)
    (services,) = free_ports(1)
    configuration = (
        DEPLOYED.read_text()
        .replace("listener 1883", f"listener {made.mqtt_port} 127.0.0.1")
        .replace("listener 1884 127.0.0.1", f"listener {services} 127.0.0.1")
        .replace("/etc/mosquitto/bondwatch/", f"{directory}/")
        .replace("/var/lib/mosquitto/", f"{directory}/")
    )
    (directory / "mosquitto.conf").write_text(f"{configuration}\nlog_type all\nuser root\n")
    made.services_port = services
    command("sync", "--mosquitto-dir", str(directory))
    with running(made):
        yield made


class Device:
    """An MQTT client that notes what happens to it."""

    def __init__(self, port: int, name: str, secret: str, *, client_id: str | None = None) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.answer: list[bool] = []
        self.lost = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or name, clean_session=False
        )
        self.client.username_pw_set(name, secret)
        self.client.reconnect_delay_set(60, 60)
        self.client.on_connect = lambda *given: self.answer.append(not given[3].is_failure)
        self.client.on_disconnect = lambda *_: self.lost.set()
        self.client.on_message = lambda _c, _d, message: self.messages.append(
            (message.topic, message.payload)
        )
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self._port = port

    def connects(self) -> bool:
        self.client.connect("127.0.0.1", self._port)
        self.client.loop_start()
        wait_until(lambda: bool(self.answer))
        return self.answer[-1]

    def subscribes(self, topic: str) -> None:
        self.subscribed.clear()
        self.client.subscribe(topic, 1)
        assert self.subscribed.wait(PATIENCE_S)

    def publishes(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)

    def leaves(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def synced(command: Command, broker: Mosquitto) -> None:
    """Write the files and let the broker read them."""
    assert broker.process is not None
    pid_file = broker.directory / "pid"
    pid_file.write_text(str(broker.process.pid))
    before = broker.log.count("Reloading config")
    command("sync", "--mosquitto-dir", str(broker.directory), "--pid-file", str(pid_file))
    wait_until(lambda: broker.log.count("Reloading config") > before)


def test_a_device_says_and_hears_what_is_its_own_and_nothing_else(
    command: Command, broker: Mosquitto, database: str
) -> None:
    one, two, three = (command.add(code) for code in ("TRK-001", "TRK-002", "TRK-003"))
    synced(command, broker)
    device = Device(broker.mqtt_port, "SIP/TRK-001", one)
    other = Device(broker.mqtt_port, "SIP/TRK-002", two)
    assert device.connects()
    assert other.connects()
    for topic in ("bw/v1/SIP/TRK-001/commands", "bw/v1/SIP/TRK-001/receipts"):
        device.subscribes(topic)
    for topic in ("bw/v1/SIP/TRK-001/commands", "bw/v1/#", "#", "bw/v1/+/+/events"):
        other.subscribes(topic)

    async def story() -> None:
        address = Address("127.0.0.1", broker.services_port, "bondwatch-gateway", SERVICE_PASSWORD)
        source = await MqttSource.open(address, SessionLeases(database, "w1", prefix="bondwatch-gateway-"))
        await until(lambda: bool(source.client_ids))
        await source.publish("bw/v1/SIP/TRK-001/receipts", b"receipt")
        for topic in ("bw/v1/SIP/TRK-001/events", "bw/v1/SIP/TRK-001/commands"):
            forger = Device(broker.mqtt_port, "SIP/TRK-003", three)
            assert forger.connects()
            forger.client.publish(topic, b"forged", qos=1)
            await asyncio.to_thread(wait_until, forger.lost.is_set)
            forger.client.loop_stop()
        await asyncio.to_thread(device.publishes, "bw/v1/SIP/TRK-001/events", b"true")
        batch = await source.receive()
        assert [message.payload for message in batch.messages] == [b"true"]
        await batch.acknowledge()
        await source.close()

    run(story())
    wait_until(lambda: bool(device.messages))
    assert device.messages == [("bw/v1/SIP/TRK-001/receipts", b"receipt")]
    assert other.messages == []
    device.leaves()
    other.leaves()


def test_who_is_not_registered_does_not_connect(command: Command, broker: Mosquitto) -> None:
    secret = command.add("TRK-001")
    command.add("TRK-002")
    synced(command, broker)
    assert not Device(broker.mqtt_port, "SIP/TRK-001", "guess").connects()
    assert not Device(broker.mqtt_port, "SIP/TRK-002", secret).connects()
    assert not Device(broker.mqtt_port, "SIP/TRK-003", secret).connects()
    assert not Device(broker.mqtt_port, "", "", client_id="SIP/TRK-001").connects()
    assert Device(broker.mqtt_port, "SIP/TRK-001", secret).connects()


def test_a_device_can_not_take_over_the_session_of_another(command: Command, broker: Mosquitto) -> None:
    one, two = command.add("TRK-001"), command.add("TRK-002")
    synced(command, broker)
    victim = Device(broker.mqtt_port, "SIP/TRK-001", one)
    assert victim.connects()
    thief = Device(broker.mqtt_port, "SIP/TRK-002", two, client_id="SIP/TRK-001")
    assert thief.connects()
    thief.publishes("bw/v1/SIP/TRK-002/presence", b"{}")
    victim.publishes("bw/v1/SIP/TRK-001/presence", b"{}")
    assert not victim.lost.is_set()
    victim.leaves()
    thief.leaves()


def test_a_revoked_device_is_disconnected_and_stays_out(command: Command, broker: Mosquitto) -> None:
    secret = command.add("TRK-001")
    other = Device(broker.mqtt_port, "SIP/TRK-002", command.add("TRK-002"))
    synced(command, broker)
    device = Device(broker.mqtt_port, "SIP/TRK-001", secret)
    assert device.connects()
    assert other.connects()
    command("revoke", "SIP/TRK-001")
    synced(command, broker)
    wait_until(device.lost.is_set)
    device.client.loop_stop()
    assert not Device(broker.mqtt_port, "SIP/TRK-001", secret).connects()
    assert not other.lost.is_set()
    other.leaves()


def test_a_second_sync_changes_nothing(command: Command, broker: Mosquitto) -> None:
    command.add("TRK-001")
    files = ("--mosquitto-dir", str(broker.directory))
    assert command("sync", *files).startswith("1 devices written")
    assert command("sync", *files).startswith("1 devices unchanged")
    assert (broker.directory / "passwords").stat().st_mode & 0o777 == 0o600
    text = (broker.directory / "passwords").read_text()
    assert [line.split(":")[0] for line in text.splitlines()] == ["SIP/TRK-001", "bondwatch-gateway"]
    assert SERVICE_PASSWORD not in text


def test_devices_are_added_listed_rotated_and_revoked(command: Command, conn: Connection) -> None:
    shown = command(
        "add", "TRK-001", "--park", "SIP", "--every", "30", "--datum", "gcj02", "--name", "Truck 1"
    )
    secret = shown.split("MQTT password")[1].split()[0]
    assert len(secret) == 43
    assert json.loads(command("rotate", "SIP/TRK-001", "--json"))["secret"] != secret
    (row,) = [json.loads(line) for line in command("list", "--json").splitlines()]
    assert (row["device"], row["expected_every_s"], row["datum"]) == ("SIP/TRK-001", 30, "gcj02")
    assert "TRK-001" in command("list", "--park", "SIP")
    assert "no devices" in command("list", "--park", "ELSE")
    command("revoke", "SIP/TRK-001")
    (row,) = [json.loads(line) for line in command("list", "--json").splitlines()]
    assert datetime.fromisoformat(row["revoked_at"]) <= datetime.now(UTC)
    kept: list[Any] = conn.execute("select hash from device_credentials").fetchall()
    assert kept
    assert not any(secret in hashed for (hashed,) in kept)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "TRK-001", "--park", "NOWHERE"), 'no park "NOWHERE"'),
        (("add", "TRK 001", "--park", "SIP"), "is not 1 to 64"),
        (("add", "alerts", "--park", "SIP"), "reserved"),
        (("add", "OLD", "--park", "SIP"), "registered already"),
        (("revoke", "SIP/NONE"), 'no device "SIP/NONE"'),
        (("revoke", "GONE"), 'no device "GONE"'),
        (("revoke", "SIP/OLD"), "was revoked at"),
        (("rotate", "SIP/OLD"), "was revoked"),
        (("sync", "--mosquitto-dir", "/nonexistent"), "can't be written"),
    ],
)
def test_what_can_not_be_done_is_said(command: Command, arguments: tuple[str, ...], said: str) -> None:
    command.add("OLD")
    command("revoke", "SIP/OLD")
    with pytest.raises(Problem, match=re.escape(said)):
        command(*arguments)


def test_sync_says_when_mosquitto_can_not_be_told(command: Command, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="can't be told"):
        command("sync", "--mosquitto-dir", str(tmp_path), "--pid-file", str(tmp_path / "no.pid"))

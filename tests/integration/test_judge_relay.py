"""Outbox to MQTT: at least once, whatever dies, and by any number of relays."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from tests.support import brokers
from tests.support.brokers import Broker as RealBroker
from tracking.judge.relay import Broker, Keep, relay
from tracking.store import outbox
from tracking.store.database import Connection, connect
from tracking.store.outbox import Outgoing, Waiting

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DEADLINE_S = 20.0
TOPIC = "bw/v1/SIP/alerts/major"


class Siren:
    """Somebody who listens to alerts, with a session that survives its absence."""

    def __init__(self, port: int) -> None:
        self.heard: list[bytes] = []
        self.subscribed = threading.Event()
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="siren", clean_session=False, protocol=paho.MQTTv311
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(TOPIC, qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(bytes(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.subscribed.wait(DEADLINE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealBroker]:
    make = brokers.nats_server if request.param == "nats" else brokers.mosquitto
    with brokers.running(make(tmp_path / "broker")) as started:
        yield started


@contextlib.contextmanager
def relaying(database: str, broker: RealBroker, count: int = 1, keep: Keep | None = None) -> Iterator[None]:
    """So many relays at work."""
    stop = threading.Event()
    address = Broker("127.0.0.1", broker.mqtt_port, "judge", None)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(relay(lambda: connect(database), lambda: address, stop, lambda: NOW, keep))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert errors == []


def leave(conn: Connection, *numbers: int) -> None:
    with conn.transaction():
        outbox.add(conn, [Outgoing(TOPIC, b"%d" % number) for number in numbers], created_at=NOW)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def waiting(conn: Connection) -> int:
    return outbox.age(conn).waiting


def test_messages_arrive_in_order_and_are_marked(database: str, conn: Connection, broker: RealBroker) -> None:
    siren = Siren(broker.mqtt_port)
    leave(conn, *range(250))
    with relaying(database, broker):
        until(lambda: len(siren.heard) >= 250)
        until(lambda: waiting(conn) == 0)
        leave(conn, 250)  # the notification wakes it
        until(lambda: len(siren.heard) >= 251)
    siren.close()
    assert siren.heard == [b"%d" % number for number in range(251)]


def test_a_broker_that_dies_loses_nothing(database: str, conn: Connection, broker: RealBroker) -> None:
    siren = Siren(broker.mqtt_port)
    with relaying(database, broker):
        leave(conn, *range(10))
        until(lambda: len(siren.heard) >= 10)
        broker.stop(signal.SIGTERM)
        leave(conn, *range(10, 20))
        assert waiting(conn) == 10
        siren.subscribed.clear()
        broker.start()
        assert siren.subscribed.wait(DEADLINE_S)
        until(lambda: waiting(conn) == 0)
        until(lambda: len(set(siren.heard)) == 20)
    siren.close()


def test_several_relays_share_the_work(database: str, conn: Connection, broker: RealBroker) -> None:
    siren = Siren(broker.mqtt_port)
    with relaying(database, broker, count=3):
        for begin in range(0, 300, 10):
            leave(conn, *range(begin, begin + 10))
        until(lambda: waiting(conn) == 0)
        until(lambda: len(siren.heard) >= 300)
    siren.close()
    assert sorted(siren.heard) == sorted(b"%d" % number for number in range(300))


def test_without_an_acknowledgement_nothing_is_marked(database: str, conn: Connection) -> None:
    leave(conn, 1)
    (port,) = brokers.free_ports(1)
    stop = threading.Event()
    asked: list[int] = []

    def address() -> Broker:
        asked.append(1)
        if len(asked) == 2:
            stop.set()
        return Broker("127.0.0.1", port, "judge", None)

    asyncio.run(relay(lambda: connect(database), address, stop, lambda: NOW))
    assert waiting(conn) == 1


def test_what_is_not_kept_for_parks_is_not_sent(database: str, conn: Connection, broker: RealBroker) -> None:
    siren = Siren(broker.mqtt_port)
    away = threading.Event()
    away.set()
    refused: list[bytes] = []
    kept: list[bytes] = []

    async def keep(message: Waiting) -> None:
        if away.is_set():
            refused.append(message.payload)
            raise ConnectionError("no server of the hub answers")
        kept.append(message.payload)

    with relaying(database, broker, keep=keep):
        leave(conn, *range(5))
        until(lambda: len(refused) >= 10)  # tried again, and still not marked
        assert waiting(conn) == 5
        away.clear()
        until(lambda: waiting(conn) == 0)
    siren.close()
    assert kept == [b"%d" % number for number in range(5)]
    assert siren.heard == kept  # told once, however often keeping failed

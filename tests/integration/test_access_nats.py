"""NATS lets in registered devices only, each only as itself: judged by the real callout on a real server."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import nkeys
import paho.mqtt.client as mqtt
import psycopg
import pytest
from nats.aio.client import Client

from gateway.access import callout
from gateway.access.callout import AuthCallout
from gateway.access.known import KnownDevices
from gateway.access.nats_config import nats_accounts
from gateway.access.tokens import read_request
from tests.support.brokers import NatsServer, nats_server, running
from tests.support.postgres import Server
from tracking.store import credentials, registry
from tracking.store.database import Connection, connect

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
PATIENCE_S = 10

SECRETS = {f"nats_{user}_password": os.urandom(16).hex() for user in ("access", "gateway", "judge", "doctor")}
SECRETS["nats_issuer_seed"] = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT).decode()


class Device:
    """An MQTT client that notes what happens to it."""

    def __init__(self, server: NatsServer, name: str, secret: str, *, client_id: str | None = None) -> None:
        self.name = name
        self.messages: list[tuple[str, bytes, int, bool]] = []
        self.granted: dict[int, list[bool]] = {}
        self.connected = threading.Event()
        self.refused = threading.Event()
        self.lost = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or name, clean_session=False
        )
        self.client.username_pw_set(name, secret)
        self.client.will_set(f"bw/v1/{name}/presence", b'{"state":"offline"}', qos=1, retain=True)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.lost.set()
        self.client.on_message = lambda _c, _u, m: self.messages.append((m.topic, m.payload, m.qos, m.retain))
        self.client.on_subscribe = self._on_subscribe
        self._server = server

    def connects(self) -> bool:
        self.lost.clear()
        self.client.connect("127.0.0.1", self._server.mqtt_port)
        self.client.loop_start()
        wait_until(lambda: self.connected.is_set() or self.refused.is_set() or self.lost.is_set())
        return self.connected.is_set()

    def subscribes(self, topic: str, qos: int = 1) -> bool:
        _, number = self.client.subscribe(topic, qos)
        assert number is not None
        wait_until(lambda: number in self.granted)
        return all(self.granted[number])

    def publishes(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def leaves(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.connected.clear()

    def vanishes(self) -> None:
        """The link is cut, as by a dead radio: no DISCONNECT is sent."""
        self.client.loop_stop()
        sock = self.client.socket()
        assert sock is not None
        sock.close()

    def _on_connect(self, *arguments: Any) -> None:
        (self.refused if arguments[3].is_failure else self.connected).set()

    def _on_subscribe(
        self, _client: Any, _data: Any, number: int, codes: list[Any], _properties: Any
    ) -> None:
        self.granted[number] = [not code.is_failure for code in codes]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    broker = nats_server(tmp_path / "nats", extra=nats_accounts(SECRETS.__getitem__))
    with running(broker):
        yield broker


@contextmanager
def service(server: NatsServer, dsn: str) -> Iterator[None]:
    """The callout in a thread of its own, as a gateway process runs it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE_S)  # type: ignore[arg-type]

    try:
        callout = run(
            AuthCallout.start(
                [server.url],
                password=SECRETS["nats_access_password"],
                issuer_seed=SECRETS["nats_issuer_seed"],
                known=KnownDevices(dsn),
            )
        )
        yield
        run(callout.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def guarded(server: NatsServer, database: str) -> Iterator[NatsServer]:
    with service(server, database):
        yield server


def register(conn: Connection, name: str) -> str:
    park, _, code = name.partition("/")
    with conn.transaction():
        registry.put_park(conn, park, name_en=park, name_zh=park, time_zone="Asia/Shanghai")
        device_id = registry.add_device(
            conn,
            park=park,
            code=code,
            kind="tracker",
            name="",
            datum="wgs84",
            expected_every_s=60,
            registered_at=NOW,
        )
        assert device_id is not None
        return credentials.issue(conn, device_id, NOW)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@asynccontextmanager
async def as_service(server: NatsServer, user: str) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, user=user, password=SECRETS[f"nats_{user}_password"])
    try:
        yield client
    finally:
        await client.close()


def test_a_registered_device_connects_and_says_and_hears_what_is_its_own(
    guarded: NatsServer, conn: Connection
) -> None:
    secret = register(conn, "SIP/TRK-001")
    device = Device(guarded, "SIP/TRK-001", secret)
    assert device.connects()
    assert device.subscribes("bw/v1/SIP/TRK-001/commands", 1)
    assert device.subscribes("bw/v1/SIP/TRK-001/receipts", 0)

    async def gateway_and_judge() -> list[str]:
        seen: list[str] = []
        async with as_service(guarded, "gateway") as gateway:

            async def note(message: Any) -> None:
                seen.append(message.subject)

            await gateway.subscribe("bw.v1.*.*.events", cb=note)
            await gateway.flush()
            await asyncio.to_thread(device.publishes, "bw/v1/SIP/TRK-001/events", b"{}")
            await asyncio.to_thread(wait_until, lambda: bool(seen))
            await gateway.publish("bw.v1.SIP.TRK-001.receipts", b"receipt")
            await gateway.flush()
        judge = Device(guarded, "judge", SECRETS["nats_judge_password"])
        assert await asyncio.to_thread(judge.connects)
        await asyncio.to_thread(judge.publishes, "bw/v1/SIP/TRK-001/commands", b"command")
        judge.leaves()
        return seen

    assert asyncio.run(gateway_and_judge()) == ["bw.v1.SIP.TRK-001.events"]
    wait_until(lambda: len(device.messages) == 2)
    assert set(device.messages) == {
        ("bw/v1/SIP/TRK-001/receipts", b"receipt", 0, False),
        ("bw/v1/SIP/TRK-001/commands", b"command", 1, False),
    }
    device.leaves()


def test_a_command_waits_in_the_session_of_a_device_that_is_away(
    guarded: NatsServer, conn: Connection
) -> None:
    secret = register(conn, "SIP/TRK-001")
    device = Device(guarded, "SIP/TRK-001", secret)
    assert device.connects()
    assert device.subscribes("bw/v1/SIP/TRK-001/commands", 1)
    device.leaves()

    judge = Device(guarded, "judge", SECRETS["nats_judge_password"])
    assert judge.connects()
    judge.publishes("bw/v1/SIP/TRK-001/commands", b"while you were away")
    judge.leaves()

    assert device.connects()
    wait_until(lambda: bool(device.messages))
    assert device.messages == [("bw/v1/SIP/TRK-001/commands", b"while you were away", 1, False)]
    device.leaves()


def test_presence_is_retained_and_the_will_says_that_the_link_was_cut(
    guarded: NatsServer, conn: Connection
) -> None:
    device = Device(guarded, "SIP/TRK-001", register(conn, "SIP/TRK-001"))
    assert device.connects()
    device.publishes("bw/v1/SIP/TRK-001/presence", b'{"state":"online"}', retain=True)
    watcher = Device(guarded, "gateway", SECRETS["nats_gateway_password"])
    assert watcher.connects()
    assert watcher.subscribes("bw/v1/+/+/presence", 0)
    wait_until(lambda: bool(watcher.messages))
    device.vanishes()
    wait_until(lambda: len(watcher.messages) == 2)
    topic = "bw/v1/SIP/TRK-001/presence"
    assert watcher.messages == [
        (topic, b'{"state":"online"}', 0, True),
        (topic, b'{"state":"offline"}', 0, False),
    ]
    watcher.leaves()


@pytest.mark.parametrize(
    "topic",
    [
        "bw/v1/SIP/TRK-002/commands",
        "bw/v1/SIP/TRK-001/events",
        "bw/v1/SIP/+/commands",
        "bw/v1/#",
        "#",
        "$MQTT/sub/#",
        "$SYS/#",
        "$JS/#",
    ],
)
def test_a_forbidden_subscription_fails_in_suback(guarded: NatsServer, conn: Connection, topic: str) -> None:
    device = Device(guarded, "SIP/TRK-001", register(conn, "SIP/TRK-001"))
    assert device.connects()
    assert not device.subscribes(topic, 1)
    device.leaves()


def test_a_forbidden_publish_is_dropped(guarded: NatsServer, conn: Connection) -> None:
    device = Device(guarded, "SIP/TRK-001", register(conn, "SIP/TRK-001"))
    assert device.connects()

    async def heard() -> list[str]:
        seen: list[str] = []

        async def note(message: Any) -> None:
            seen.append(message.subject)

        async with as_service(guarded, "gateway") as gateway:
            await gateway.subscribe("bw.v1.*.*.events", cb=note)
            await gateway.subscribe("bw.v1.*.*.presence", cb=note)
            await gateway.flush()
            for topic in (
                "bw/v1/SIP/TRK-002/events",
                "bw/v1/SIP/TRK-001/commands",
                "bw/v1/SIP/TRK-002/presence",
                "bw/v1/SIP/TRK-001/events",
            ):
                await asyncio.to_thread(device.publishes, topic, b"{}")
            await asyncio.to_thread(wait_until, lambda: bool(seen))
        return seen

    assert asyncio.run(heard()) == ["bw.v1.SIP.TRK-001.events"]
    device.leaves()


def test_who_is_not_registered_does_not_connect(guarded: NatsServer, conn: Connection) -> None:
    secret = register(conn, "SIP/TRK-001")
    register(conn, "SIP/TRK-002")
    assert not Device(guarded, "SIP/TRK-001", "guess").connects()
    assert not Device(guarded, "SIP/TRK-001", "").connects()
    assert not Device(guarded, "SIP/TRK-002", secret).connects()
    assert not Device(guarded, "SIP/TRK-009", secret).connects()
    assert not Device(guarded, "../SIP", secret).connects()
    assert not Device(guarded, "SIP/TRK-001", secret, client_id="SIP/TRK-002").connects()
    assert Device(guarded, "SIP/TRK-001", secret).connects()


def test_a_device_does_not_get_in_by_the_nats_protocol(guarded: NatsServer, conn: Connection) -> None:
    secret = register(conn, "SIP/TRK-001")

    async def tries() -> None:
        with pytest.raises(nats.errors.Error):
            await nats.connect(guarded.url, user="SIP/TRK-001", password=secret, allow_reconnect=False)

    asyncio.run(tries())


def test_a_revoked_device_is_disconnected_and_stays_out(guarded: NatsServer, conn: Connection) -> None:
    secret = register(conn, "SIP/TRK-001")
    other = Device(guarded, "SIP/TRK-002", register(conn, "SIP/TRK-002"))
    device = Device(guarded, "SIP/TRK-001", secret)
    device.client.reconnect_delay_set(60, 60)
    assert device.connects()
    assert other.connects()
    with conn.transaction():
        registry.revoke_device(conn, registry.device(conn, "SIP/TRK-001")["device_id"], NOW)
    wait_until(device.lost.is_set)
    device.client.loop_stop()
    assert not Device(guarded, "SIP/TRK-001", secret).connects()
    assert not other.lost.is_set()
    other.leaves()


def test_a_device_revoked_while_no_gateway_ran_is_disconnected_at_its_start(
    server: NatsServer, database: str, conn: Connection
) -> None:
    secret = register(conn, "SIP/TRK-001")
    device = Device(server, "SIP/TRK-001", secret)
    device.client.reconnect_delay_set(60, 60)
    with service(server, database):
        assert device.connects()
    with conn.transaction():
        registry.revoke_device(conn, registry.device(conn, "SIP/TRK-001")["device_id"], NOW)
    assert not device.lost.is_set()
    with service(server, database):
        wait_until(device.lost.is_set)
    device.client.loop_stop()


def test_a_broker_that_did_not_hear_of_a_revocation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        def __init__(self) -> None:
            self.news = [frozenset({"SIP/TRK-001"})]

        async def refresh(self) -> frozenset[str]:
            return self.news.pop() if self.news else frozenset()

    told: list[bool] = []

    async def story() -> None:
        service = AuthCallout(None, Known(), None)  # type: ignore[arg-type]

        async def disconnect(unwanted: Callable[[str], bool]) -> None:
            told.append(unwanted("SIP/TRK-001"))
            if len(told) == 1:
                raise nats.errors.TimeoutError

        monkeypatch.setattr(service, "_disconnect", disconnect)
        refresher = asyncio.create_task(service._refresh())
        async with asyncio.timeout(10):
            while len(told) < 2:
                await asyncio.sleep(0.01)
            for _ in range(50):  # and then no more
                await asyncio.sleep(0)
        refresher.cancel()

    monkeypatch.setattr(callout, "REFRESH_S", 0.0)
    asyncio.run(story())

    assert told == [True, True]


def test_a_replaced_secret_no_longer_holds(guarded: NatsServer, conn: Connection) -> None:
    old = register(conn, "SIP/TRK-001")
    device = Device(guarded, "SIP/TRK-001", old)
    device.client.reconnect_delay_set(60, 60)
    assert device.connects()
    with conn.transaction():
        registry.lock_reference(conn)
        new = credentials.issue(conn, registry.device(conn, "SIP/TRK-001")["device_id"], NOW)
    wait_until(device.lost.is_set)
    device.client.loop_stop()
    assert not Device(guarded, "SIP/TRK-001", old).connects()
    assert Device(guarded, "SIP/TRK-001", new).connects()


def test_the_services_of_the_broker_are_not_open_to_the_gateway_user(server: NatsServer) -> None:
    async def tries() -> list[str]:
        violations: list[str] = []

        async def note(error: Exception) -> None:
            violations.append(str(error))

        client = await nats.connect(
            server.url, user="gateway", password=SECRETS["nats_gateway_password"], error_cb=note
        )
        for subject in ("$JS.API.STREAM.DELETE.BW_EVENTS", "$JS.API.STREAM.PURGE.BW_EVENTS"):
            await client.publish(subject, b"{}")
        await client.publish("bw.v1.SIP.TRK-001.events", json.dumps({}).encode())
        await client.flush()
        await asyncio.to_thread(wait_until, lambda: len(violations) == 3)
        await client.close()
        return violations

    assert all("permissions violation" in text for text in asyncio.run(tries()))


def test_a_crowd_connects_at_once(guarded: NatsServer, conn: Connection) -> None:
    """After an outage everybody comes at the same moment."""
    secrets = {f"SIP/TRK-{n:03d}": register(conn, f"SIP/TRK-{n:03d}") for n in range(300)}

    async def connects(name: str, secret: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", guarded.mqtt_port)
        writer.write(connect_packet(name, secret))
        answer = await reader.readexactly(4)
        writer.close()
        return answer[3]

    async def crowd() -> list[int]:
        async with asyncio.timeout(20):
            return await asyncio.gather(*(connects(*one) for one in secrets.items()))

    assert set(asyncio.run(crowd())) == {0}


def connect_packet(name: str, secret: str) -> bytes:
    """An MQTT 3.1.1 CONNECT: clean session, user name, password, keep alive 60 s."""

    def text(value: str) -> bytes:
        return len(value).to_bytes(2, "big") + value.encode()

    body = text("MQTT") + b"\x04\xc2\x00\x3c" + text(name) + text(name) + text(secret)
    assert len(body) < 128  # the length is one byte
    return bytes([0x10, len(body)]) + body


def test_known_devices_get_in_while_the_database_is_away(postgres: Server) -> None:
    dsn = postgres.create()

    async def story() -> None:
        with connect(dsn) as connection:
            secret = register(connection, "SIP/TRK-001")
        known = KnownDevices(dsn)
        await known.refresh()
        postgres.drop(dsn)
        assert await known.admits("SIP/TRK-001", secret)
        assert not await known.admits("SIP/TRK-001", "guess")
        assert not await known.admits("SIP/TRK-002", secret)
        assert await known.admits("SIP/TRK-001", secret)
        with pytest.raises(psycopg.OperationalError):
            await known.refresh()
        assert "SIP/TRK-001" in known
        await known.close()

    asyncio.run(story())


def test_nothing_but_a_request_is_taken_for_one() -> None:
    for token in (b"", b"a.b", b"a.b.c", b"a.e30.c", b"\xff.\xff.\xff"):
        with pytest.raises(ValueError):
            read_request(token)

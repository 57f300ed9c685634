"""What only MqttSource promises: flow control, sessions that outlive their worker, TLS, and being told no."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mqtt5
import psycopg
import pytest

from gateway.pipeline.batch import Message
from gateway.problem import Problem
from gateway.sources.leases import SessionLeases
from gateway.sources.mqtt import MqttSource
from gateway.sources.mqtt_link import Link
from gateway.sources.mqtt_terms import Address, LinkLost, Session
from tests.support.brokers import free_ports, mosquitto, running
from tests.support.certificates import certificates
from tests.support.sources import (
    CLIENT_PREFIX,
    Devices,
    MqttRig,
    Recorder,
    numbered,
    run,
    until,
    until_in_database,
    until_renewed,
    working,
)
from tracking.domain.errors import Retryable


@pytest.fixture
def stage(tmp_path: Path, database: str) -> Iterator[MqttRig]:
    broker = mosquitto(tmp_path / "mosquitto")
    with running(broker):
        yield MqttRig(broker, database)


def in_flight(stage: MqttRig, client_id: str = "bondwatch-0") -> int:
    """By the broker's own log: messages sent to a client that it hasn't acknowledged."""
    log = stage.broker.log
    return log.count(f"Sending PUBLISH to {client_id}") - log.count(f"Received PUBACK from {client_id}")


def test_a_link_that_ends_by_a_bug_ends_the_worker(stage: MqttRig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_link: Link, _pattern: str) -> None:
        raise ZeroDivisionError("ours")

    async def story() -> None:
        monkeypatch.setattr(Link, "subscribe", broken)
        leases = SessionLeases(stage.dsn, "w1", prefix=CLIENT_PREFIX)
        source = await MqttSource.open(Address("127.0.0.1", stage.broker.mqtt_port), leases)
        with pytest.raises(ZeroDivisionError, match="ours"):
            await asyncio.wait_for(source.receive(), 10)
        await source.close()

    run(story())


def test_the_broker_sends_no_more_than_the_window_allows(stage: MqttRig, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage, receive_max=10) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 100))
            taken = []
            while sum(len(batch.messages) for batch in taken) < 10:
                taken.append(await source.receive())
            assert in_flight(stage) == 10
            for batch in taken:
                await recorder.finish(batch)
            await recorder.record(source, until_count=100)
            assert recorder.payloads == [b"%d" % n for n in range(100)]

    run(story())


def test_nothing_is_acknowledged_before_the_commit(stage: MqttRig, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 5))
            await until(lambda: in_flight(stage) == 5)
            batch = await source.receive()
            await recorder.commit(batch)
            assert in_flight(stage) == 5
            await batch.acknowledge()
            rest = 5 - len(batch.messages)
            await until(lambda: in_flight(stage) == rest)

    run(story())


def test_the_session_of_a_worker_that_is_gone_is_adopted_and_drained(
    stage: MqttRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        one, two = await stage.source("w1"), await stage.source("w2")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 10))
        held = await one.receive()
        await one.close()
        await devices.publish_all(numbered("TRK-001", 10, first=10))
        await recorder.record(two, until_count=20)
        assert set(recorder.payloads) == {b"%d" % n for n in range(20)}
        await held.acknowledge()
        drained = "select drained_at is not null and owner is null from mqtt_sessions where client_id = "
        await until_in_database(stage.dsn, drained + "'bondwatch-0'")
        assert two.client_ids == ["bondwatch-1"]
        await devices.publish_all(numbered("TRK-001", 10, first=20))
        await recorder.record(two, until_count=30)
        assert set(recorder.payloads) == {b"%d" % n for n in range(30)}
        devices.close()
        await two.close()

    run(story())


def test_a_worker_that_starts_takes_over_what_waits_for_one_that_is_gone(
    stage: MqttRig, recorder: Recorder
) -> None:
    async def story() -> None:
        one = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await one.close()
        await devices.publish_all(numbered("TRK-001", 10))
        two = await stage.source("w2")
        assert two.client_ids == ["bondwatch-0"]
        await recorder.record(two, until_count=10)
        devices.close()
        await two.close()

    run(story())


def test_a_session_that_was_lost_is_let_go_and_another_taken(
    stage: MqttRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            conn.execute(
                "update mqtt_sessions set owner = 'w2', epoch = epoch + 1, leased_until = 'infinity'"
            )
            await until(lambda: source.client_ids == ["bondwatch-1"])
            conn.execute("update mqtt_sessions set leased_until = '-infinity' where owner = 'w2'")
            await devices.publish_all(numbered("TRK-001", 6))
            await recorder.record(source, until_count=6)

    run(story())


def test_the_watermark_stands_while_the_window_is_full(
    stage: MqttRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    """A full window means that the broker may hold more: time must not pass for what it holds."""

    async def story() -> None:
        async with working(stage, receive_max=5) as (source, devices):
            await until_in_database(stage.dsn, "select bool_and(through_at is not null) from mqtt_sessions")
            await devices.publish_all(numbered("TRK-001", 20))
            batch = await source.receive()
            (before,) = conn.execute("select through_at from mqtt_sessions").fetchone() or (None,)
            assert before is not None
            assert before.timestamp() * 1e6 < batch.messages[0].received_us
            await until_renewed(stage.dsn, "mqtt_sessions")
            (after,) = conn.execute("select through_at from mqtt_sessions").fetchone() or (None,)
            assert after is not None
            assert after.timestamp() * 1e6 < batch.messages[0].received_us
            await recorder.finish(batch)
            await recorder.record(source, until_count=20)
            at = datetime.now(UTC).isoformat()
            await until_in_database(stage.dsn, f"select through_at > '{at}' from mqtt_sessions")

    run(story())


def test_mosquitto_forgets_shared_subscriptions_when_it_restarts(stage: MqttRig, recorder: Recorder) -> None:
    """A limit of the broker, written down in docs/brokers.md: what it takes before we are back, it drops.

    A device that waits for its receipt sends again. When this test fails, the note can go.
    """

    async def story() -> None:
        source = await stage.source("w1")
        await asyncio.to_thread(stage.broker.stop)
        await source.close()
        await asyncio.to_thread(stage.broker.start)
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 3))
        source = await stage.source("w1")
        await devices.publish_all(numbered("TRK-001", 3, first=3))
        await recorder.record(source, until_count=3)
        assert recorder.payloads == [b"3", b"4", b"5"]
        devices.close()
        await source.close()

    run(story())


def test_a_broker_that_does_not_know_us_is_a_problem_said_at_once(tmp_path: Path, database: str) -> None:
    broker = mosquitto(tmp_path / "mosquitto", extra="allow_anonymous false\n")

    async def story() -> None:
        address = Address("127.0.0.1", broker.mqtt_port, "gateway", "wrong")
        leases = SessionLeases(database, "w1", prefix=CLIENT_PREFIX)
        source = await MqttSource.open(address, leases)
        with pytest.raises(Problem, match="not authorized"):
            await source.receive()
        await source.close()

    with running(broker):
        run(story())


def test_a_broker_that_is_not_there_is_said_after_our_patience(database: str) -> None:
    async def story() -> None:
        address = Address("127.0.0.1", free_ports(1)[0])
        leases = SessionLeases(database, "w1", prefix=CLIENT_PREFIX)
        source = await MqttSource.open(address, leases, patience_s=0.5)
        with pytest.raises(Retryable, match="can't be reached"):
            await source.receive()
        with pytest.raises(Retryable):
            await source.publish("bw/v1/SIP/TRK-001/receipts", b"{}")
        await source.close()

    run(story())


def test_a_link_over_tls_checks_who_answers(tmp_path: Path, database: str) -> None:
    authority, certificate, key = certificates(tmp_path)
    (port,) = free_ports(1)
    extra = f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
    broker = mosquitto(tmp_path / "mosquitto", extra=extra)

    async def story() -> None:
        recorder = Recorder(database)
        rig = MqttRig(broker, database)
        trusting = Address("127.0.0.1", port, tls=ssl.create_default_context(cafile=str(authority)))
        source = await rig.source("w1", address=trusting)
        devices = Devices(broker.mqtt_port)
        await devices.publish_all([("TRK-001", b"x" * 500_000), ("TRK-001", b"y")])
        await recorder.record(source, until_count=2)
        assert [len(payload) for payload in recorder.payloads] == [500_000, 1]
        await source.close()
        doubting = Address("127.0.0.1", port, tls=ssl.create_default_context())
        source = await MqttSource.open(doubting, SessionLeases(database, "w2", prefix=CLIENT_PREFIX))
        with pytest.raises(Problem, match="certificate"):
            await source.receive()
        devices.close()
        await source.close()

    with running(broker):
        run(story())


def test_packets_may_arrive_in_any_pieces() -> None:
    """The link's own parsing, fed by hand: whole, byte by byte, and with a broker that speaks nonsense."""

    async def story() -> None:
        packets = b"".join(
            mqtt5.PublishPacket(
                f"bw/v1/SIP/TRK-{n}/events",
                b"x" * n,
                qos=mqtt5.QoS.AT_LEAST_ONCE,
                packet_id=n + 1,
                user_properties=[("site", "SIP")],
            ).write()
            for n in range(40)
        )
        for size in (1, 7, len(packets)):
            came: list[tuple[int, Message]] = []
            link = Link(lambda _link, number, message, came=came: came.append((number, message)))
            for start in range(0, len(packets), size):
                link.data_received(packets[start : start + size])
            assert [number for number, _ in came] == list(range(1, 41))
            assert [len(message.payload) for _, message in came] == list(range(40))
            assert came[0][1].properties == {"site": "SIP"}
            assert link.unacknowledged == link.take_peak() == 40
        link.data_received(b"\x00\x00nonsense")
        assert not link.is_open
        link.acknowledge([1, 2, 3])

    run(story())


def test_a_broker_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr("gateway.sources.mqtt_link.HANDSHAKE_S", 0.2)

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(LinkLost):
            await Link.open(address, Session("bondwatch-0", 60, 10), lambda *_: None)
        server.close()
        await server.wait_closed()

    run(story())

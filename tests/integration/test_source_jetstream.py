"""What only JetStreamSource promises: its stream, positions in the database, the fence, the watermark."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import natsrpy
import psycopg
import pytest

from gateway.pipeline.batch import Batch
from gateway.problem import Problem
from gateway.sources import stream
from gateway.sources.jetstream import JetStreamSource
from gateway.subjects import STREAM, parse_subject
from tests.support.brokers import NatsServer, nats_server, running
from tests.support.sources import (
    Devices,
    JetStreamRig,
    Recorder,
    run,
    until,
    until_in_database,
    until_renewed,
)
from tracking.domain.errors import Fenced


@pytest.fixture
def stage(tmp_path: Path, database: str) -> Iterator[JetStreamRig]:
    broker: NatsServer = nats_server(tmp_path / "nats")
    with running(broker):
        yield JetStreamRig(broker, database)


@pytest.fixture
def recorder(database: str) -> Recorder:
    return Recorder(database)


async def client(stage: JetStreamRig) -> natsrpy.Nats:
    made = natsrpy.Nats(addrs=[stage.broker.url])
    await made.startup()
    return made


def ask(nats: natsrpy.Nats) -> stream.Requester:
    async def request(subject: str, payload: bytes) -> bytes:
        return (await nats.request(subject, payload)).payload

    return request


def numbered(device: str, count: int, first: int = 0) -> list[tuple[str, bytes]]:
    return [(device, b"%d" % n) for n in range(first, first + count)]


async def batch_of(source: JetStreamSource) -> Batch:
    return await asyncio.wait_for(source.receive(), 10)


def test_the_stream_is_made_once_and_its_limits_follow_the_settings(stage: JetStreamRig) -> None:
    async def story() -> None:
        nats = await client(stage)
        await stream.ensure_stream(ask(nats), stream.Keep(max_bytes=64 << 20))
        await stream.ensure_stream(ask(nats), stream.Keep(max_bytes=64 << 20))
        await stream.ensure_stream(ask(nats), stream.Keep(age=timedelta(days=2), max_bytes=128 << 20))
        made = (await stream.call(ask(nats), f"$JS.API.STREAM.INFO.{STREAM}"))["config"]
        assert made["max_age"] == 2 * 86400 * 10**9
        assert made["max_bytes"] == 128 << 20
        assert (made["storage"], made["discard"]) == ("file", "old")
        await nats.shutdown()

    run(story())


def test_a_stream_of_the_same_name_that_is_another_is_left_alone(stage: JetStreamRig) -> None:
    async def story() -> None:
        nats = await client(stage)
        other = {"name": STREAM, "subjects": ["somebody.else"], "storage": "file", "retention": "limits"}
        await stream.call(ask(nats), f"$JS.API.STREAM.CREATE.{STREAM}", other)
        with pytest.raises(Problem, match="exists with other subjects"):
            await stream.ensure_stream(ask(nats), stream.Keep())
        await nats.shutdown()

    run(story())


def test_a_device_stays_in_one_partition(stage: JetStreamRig) -> None:
    assert parse_subject("bw.in.7.SIP.TRK-001") == (7, "bw/v1/SIP/TRK-001/events")

    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all([(f"TRK-{n % 50}", b"x") for n in range(500)])
        nats = await client(stage)
        info = await stream.call(ask(nats), f"$JS.API.STREAM.INFO.{STREAM}", {"subjects_filter": "bw.in.>"})
        subjects = info["state"]["subjects"]
        assert len(subjects) == 50
        assert len({parse_subject(subject)[0] for subject in subjects}) > 8
        await nats.shutdown()
        devices.close()
        await source.close()

    run(story())


def test_silent_partitions_follow_so_that_a_restart_reads_nothing_twice(
    stage: JetStreamRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 30))
        await recorder.record(source, until_count=30)
        rows = conn.execute("select sequence from source_positions").fetchall()
        assert len(rows) == 16
        assert min(sequence for (sequence,) in rows) > 0
        devices.close()
        await source.close()

    run(story())


def test_a_batch_of_a_partition_that_was_taken_over_is_fenced(
    stage: JetStreamRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 3))
        batch = await batch_of(source)
        conn.execute("update source_positions set owner = 'w2', epoch = epoch + 1")
        with pytest.raises(Fenced):
            await recorder.commit(batch)
        assert recorder.messages == []
        devices.close()
        await source.close()

    run(story())


def test_a_worker_that_was_fenced_goes_on_with_what_it_still_owns(
    stage: JetStreamRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 3))
        batch = await batch_of(source)
        conn.execute("update source_positions set epoch = epoch + 1")
        with pytest.raises(Fenced):
            await recorder.commit(batch)
        await source.rewind()
        await recorder.record(source, until_count=3)
        assert recorder.payloads == [b"0", b"1", b"2"]
        devices.close()
        await source.close()

    run(story())


def test_a_stream_that_was_lost_and_counts_anew_is_read_from_its_beginning(
    stage: JetStreamRig, recorder: Recorder
) -> None:
    """The broker's disk was replaced: its new messages have numbers that we recorded others under."""

    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 20))
        await recorder.record(source, until_count=20)
        await source.close()
        nats = await client(stage)
        await stream.call(ask(nats), f"$JS.API.STREAM.DELETE.{STREAM}")
        await stream.ensure_stream(ask(nats), stream.Keep(max_bytes=256 << 20))
        await nats.shutdown()
        await devices.publish_all(numbered("TRK-001", 15, first=20))
        second = await stage.source("w2")
        await recorder.record(second, until_count=35)
        assert recorder.payloads == [b"%d" % n for n in range(35)]
        await devices.publish_all(numbered("TRK-001", 15, first=35))
        await recorder.record(second, until_count=50)
        assert recorder.payloads == [b"%d" % n for n in range(50)]
        devices.close()
        await second.close()

    run(story())


def test_a_stream_that_lost_its_newest_messages_is_noticed_while_we_run(
    stage: JetStreamRig, recorder: Recorder
) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 20))
        await recorder.record(source, until_count=20)
        nats = await client(stage)
        await stream.call(ask(nats), f"$JS.API.STREAM.DELETE.{STREAM}")
        await stream.ensure_stream(ask(nats), stream.Keep(max_bytes=256 << 20))
        await nats.shutdown()
        await devices.publish_all(numbered("TRK-001", 30, first=20))
        await recorder.record(source, until_count=50)
        assert recorder.payloads == [b"%d" % n for n in range(50)]
        devices.close()
        await source.close()

    run(story())


def test_what_the_limits_took_before_it_was_read_is_counted(stage: JetStreamRig, recorder: Recorder) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 5))
        await recorder.record(source, until_count=5)
        await source.close()
        await devices.publish_all(numbered("TRK-001", 10, first=5))
        nats = await client(stage)
        await stream.call(ask(nats), f"$JS.API.STREAM.PURGE.{STREAM}", {"keep": 3})
        await nats.shutdown()
        second = await stage.source("w2")
        await recorder.record(second, until_count=8)
        assert recorder.payloads[5:] == [b"12", b"13", b"14"]
        assert second.overran >= 7
        devices.close()
        await second.close()

    run(story())


def test_the_watermark_follows_an_idle_source_and_waits_for_a_batch_that_is_out(
    stage: JetStreamRig, recorder: Recorder, database: str
) -> None:
    through = "select extract(epoch from min(through_at))::float8 from source_positions"

    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        waiting = asyncio.create_task(source.receive())
        await until_in_database(database, f"select ({through}) > {time.time()}")
        await devices.publish_all(numbered("TRK-001", 1))
        batch = await waiting
        before = await until_in_database(database, through)
        await until_renewed(database, "source_workers")
        assert await until_in_database(database, through) == before
        assert before <= batch.messages[0].received_us / 1e6
        await recorder.commit(batch)
        await batch.acknowledge()
        waiting = asyncio.create_task(source.receive())
        await until_in_database(database, f"select ({through}) > {time.time()}")
        waiting.cancel()
        devices.close()
        await source.close()

    run(story())


def test_a_worker_without_messages_of_its_own_follows_the_stream(
    stage: JetStreamRig, database: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its next start would read all that the others' devices said since."""
    monkeypatch.setattr("gateway.sources.jetstream_batch.LEFT_BEHIND", 100)

    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 1))
        batch = await batch_of(source)
        await Recorder(database).commit(batch)
        await batch.acknowledge()
        nats = await client(stage)
        info = await stream.call(ask(nats), f"$JS.API.STREAM.INFO.{STREAM}", {"subjects_filter": "bw.in.>"})
        busy = parse_subject(next(iter(info["state"]["subjects"])))[0]
        conn.execute(
            "update source_positions set owner = 'w2', epoch = epoch + 1, leased_until = 'infinity'"
            " where partition = %s",
            (busy,),
        )
        waiting = asyncio.create_task(source.receive())
        await until(lambda: bool(source.partitions) and busy not in source.partitions)
        await devices.publish_all(numbered("TRK-001", 150, first=1))
        followed = f"select min(sequence) >= 151 from source_positions where partition <> {busy}"
        await until_in_database(database, followed)
        assert not waiting.done()
        waiting.cancel()
        await nats.shutdown()
        devices.close()
        await source.close()

    run(story())


def test_a_consumer_that_vanished_is_made_anew(stage: JetStreamRig, recorder: Recorder) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 5))
        await recorder.record(source, until_count=5)
        nats = await client(stage)
        names = await stream.call(ask(nats), f"$JS.API.CONSUMER.NAMES.{STREAM}")
        for name in names["consumers"]:
            await stream.call(ask(nats), f"$JS.API.CONSUMER.DELETE.{STREAM}.{name}")
        await nats.shutdown()
        await devices.publish_all(numbered("TRK-001", 5, first=5))
        await recorder.record(source, until_count=10)
        assert recorder.payloads == [b"%d" % n for n in range(10)]
        devices.close()
        await source.close()

    run(story())


def test_receipts_reach_a_device_over_mqtt(stage: JetStreamRig) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        heard: list[tuple[str, bytes]] = []
        devices = Devices(stage.broker.mqtt_port)
        devices.hears("TRK-001", heard)
        await source.publish("bw/v1/SIP/TRK-001/receipts", b"{}")
        await until(lambda: heard == [("bw/v1/SIP/TRK-001/receipts", b"{}")])
        devices.close()
        await source.close()

    run(story())

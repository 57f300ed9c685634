"""What only JetStreamSource promises: its stream, positions in the database, the fence, the watermark."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
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
    numbered,
    run,
    until,
    until_in_database,
    until_renewed,
    working,
)
from tracking.domain.errors import Fenced

INFO = f"$JS.API.STREAM.INFO.{STREAM}"


@pytest.fixture
def stage(tmp_path: Path, database: str) -> Iterator[JetStreamRig]:
    broker: NatsServer = nats_server(tmp_path / "nats")
    with running(broker):
        yield JetStreamRig(broker, database)


@asynccontextmanager
async def asking(stage: JetStreamRig) -> AsyncIterator[stream.Requester]:
    """A client of the server that asks it what our tools would."""
    nats = natsrpy.Nats(addrs=[stage.broker.url])
    await nats.startup()

    async def request(subject: str, payload: bytes) -> bytes:
        return (await nats.request(subject, payload)).payload

    try:
        yield request
    finally:
        await nats.shutdown()


async def batch_of(source: JetStreamSource) -> Batch:
    return await asyncio.wait_for(source.receive(), 10)


def test_the_stream_is_made_once_and_its_limits_follow_the_settings(stage: JetStreamRig) -> None:
    async def story() -> None:
        async with asking(stage) as ask:
            await stream.ensure_stream(ask, stream.Keep(max_bytes=64 << 20))
            await stream.ensure_stream(ask, stream.Keep(max_bytes=64 << 20))
            await stream.ensure_stream(ask, stream.Keep(age=timedelta(days=2), max_bytes=128 << 20))
            made = (await stream.call(ask, INFO))["config"]
            assert made["max_age"] == 2 * 86400 * 10**9
            assert made["max_bytes"] == 128 << 20
            assert (made["storage"], made["discard"]) == ("file", "old")

    run(story())


def test_a_stream_of_the_same_name_that_is_another_is_left_alone(stage: JetStreamRig) -> None:
    async def story() -> None:
        async with asking(stage) as ask:
            other = {"name": STREAM, "subjects": ["somebody.else"], "storage": "file", "retention": "limits"}
            await stream.call(ask, f"$JS.API.STREAM.CREATE.{STREAM}", other)
            with pytest.raises(Problem, match="exists with other subjects"):
                await stream.ensure_stream(ask, stream.Keep())

    run(story())


def test_a_device_stays_in_one_partition(stage: JetStreamRig) -> None:
    assert parse_subject("bw.in.7.SIP.TRK-001") == (7, "bw/v1/SIP/TRK-001/events")

    async def story() -> None:
        async with working(stage) as (_, devices):
            await devices.publish_all([(f"TRK-{n % 50}", b"x") for n in range(500)])
            async with asking(stage) as ask:
                info = await stream.call(ask, INFO, {"subjects_filter": "bw.in.>"})
                subjects = info["state"]["subjects"]
                assert len(subjects) == 50
                assert len({parse_subject(subject)[0] for subject in subjects}) > 8

    run(story())


def test_silent_partitions_follow_so_that_a_restart_reads_nothing_twice(
    stage: JetStreamRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 30))
            await recorder.record(source, until_count=30)
            rows = conn.execute("select sequence from source_positions").fetchall()
            assert len(rows) == 16
            assert min(sequence for (sequence,) in rows) > 0

    run(story())


def test_a_batch_of_a_partition_that_was_taken_over_is_fenced(
    stage: JetStreamRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 3))
            batch = await batch_of(source)
            conn.execute("update source_positions set owner = 'w2', epoch = epoch + 1")
            with pytest.raises(Fenced):
                await recorder.commit(batch)
            assert recorder.messages == []

    run(story())


def test_a_worker_that_was_fenced_goes_on_with_what_it_still_owns(
    stage: JetStreamRig, recorder: Recorder, conn: psycopg.Connection[Any]
) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 3))
            batch = await batch_of(source)
            conn.execute("update source_positions set epoch = epoch + 1")
            with pytest.raises(Fenced):
                await recorder.commit(batch)
            await source.rewind()
            await recorder.record(source, until_count=3)
            assert recorder.payloads == [b"0", b"1", b"2"]

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
        async with asking(stage) as ask:
            await stream.call(ask, f"$JS.API.STREAM.DELETE.{STREAM}")
            await stream.ensure_stream(ask, stream.Keep(max_bytes=256 << 20))
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
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 20))
            await recorder.record(source, until_count=20)
            async with asking(stage) as ask:
                await stream.call(ask, f"$JS.API.STREAM.DELETE.{STREAM}")
                await stream.ensure_stream(ask, stream.Keep(max_bytes=256 << 20))
            await devices.publish_all(numbered("TRK-001", 30, first=20))
            await recorder.record(source, until_count=50)
            assert recorder.payloads == [b"%d" % n for n in range(50)]

    run(story())


def test_what_the_limits_took_before_it_was_read_is_counted(stage: JetStreamRig, recorder: Recorder) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 5))
        await recorder.record(source, until_count=5)
        await source.close()
        await devices.publish_all(numbered("TRK-001", 10, first=5))
        async with asking(stage) as ask:
            await stream.call(ask, f"$JS.API.STREAM.PURGE.{STREAM}", {"keep": 3})
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
        async with working(stage) as (source, devices):
            waiting = asyncio.create_task(source.receive())
            await until_in_database(database, f"select ({through}) > {time.time()}")
            await devices.publish_all(numbered("TRK-001", 1))
            batch = await waiting
            before = await until_in_database(database, through)
            await until_renewed(database, "source_workers")
            assert await until_in_database(database, through) == before
            assert before <= batch.messages[0].received_us / 1e6
            await recorder.finish(batch)
            waiting = asyncio.create_task(source.receive())
            await until_in_database(database, f"select ({through}) > {time.time()}")
            waiting.cancel()

    run(story())


def test_a_worker_without_messages_of_its_own_follows_the_stream(
    stage: JetStreamRig, database: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its next start would read all that the others' devices said since."""
    monkeypatch.setattr("gateway.sources.jetstream_batch.LEFT_BEHIND", 100)

    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 1))
            batch = await batch_of(source)
            await Recorder(database).finish(batch)
            async with asking(stage) as ask:
                info = await stream.call(ask, INFO, {"subjects_filter": "bw.in.>"})
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

    run(story())


def test_a_consumer_that_vanished_is_made_anew(stage: JetStreamRig, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 5))
            await recorder.record(source, until_count=5)
            async with asking(stage) as ask:
                names = await stream.call(ask, f"$JS.API.CONSUMER.NAMES.{STREAM}")
                for name in names["consumers"]:
                    await stream.call(ask, f"$JS.API.CONSUMER.DELETE.{STREAM}.{name}")
            await devices.publish_all(numbered("TRK-001", 5, first=5))
            await recorder.record(source, until_count=10)
            assert recorder.payloads == [b"%d" % n for n in range(10)]

    run(story())

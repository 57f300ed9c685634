"""What every source promises, whatever its broker: one suite, a real NATS and a real Mosquitto."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.pipeline.batch import Source
from gateway.sources.mqtt import MqttSource
from tests.support.brokers import running
from tests.support.sources import (
    PATIENCE_S,
    Devices,
    JetStreamRig,
    MqttRig,
    Recorder,
    rig,
    run,
    until,
    until_in_database,
    working,
)

Stage = JetStreamRig | MqttRig


@pytest.fixture(params=["jetstream", "mqtt"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> Iterator[Stage]:
    made = rig(request.param, tmp_path, database)
    with running(made.broker):
        yield made


def numbered(device: str, count: int, first: int = 0) -> list[tuple[str, bytes]]:
    return [(device, b"%s %d" % (device.encode(), n)) for n in range(first, first + count)]


def test_everything_arrives_once_and_in_order_of_each_device(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            names = [f"TRK-{n:03d}" for n in range(40)]
            sent = [(name, b"%d" % n) for n in range(50) for name in names]
            before_us = time.time_ns() // 1000
            publishing = asyncio.create_task(devices.publish_all(sent))
            await recorder.record(source, until_count=len(sent))
            await publishing
            for name in names:
                assert recorder.of(name) == [b"%d" % n for n in range(50)]
            received = [message.received_us for message in recorder.messages]
            assert received == sorted(received)
            assert before_us - 1000 <= received[0] <= received[-1] <= time.time_ns() // 1000 + 1000

    run(story())


def test_an_idle_source_gives_a_message_at_once(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            took = []
            for n in range(30):
                waiting = asyncio.create_task(source.receive())
                await asyncio.sleep(0.005)
                begun = time.perf_counter()
                devices.publish("TRK-001", b"%d" % n)
                batch = await waiting
                took.append(time.perf_counter() - begun)
                await recorder.finish(batch)
            assert recorder.payloads == [b"%d" % n for n in range(30)]
            assert sorted(took)[15] < 0.02, took

    run(story())


def test_batches_grow_while_a_batch_is_recorded(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage, max_batch=100) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 1))
            first = await source.receive()
            await devices.publish_all(numbered("TRK-001", 250, first=1))
            sizes = []
            await recorder.finish(first)
            while len(recorder.messages) < 251:
                batch = await source.receive()
                sizes.append(len(batch.messages))
                await recorder.finish(batch)
            assert max(sizes) == 100
            assert len(sizes) <= 5

    run(story())


def test_a_poison_payload_passes_through_untouched(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            payloads = [b"", b"\x00\xff\xfe", b"{", bytes(range(256)), "不是 JSON".encode(), b"\xc3\x28"]
            await devices.publish_all(("TRK-001", payload) for payload in payloads)
            await recorder.record(source, until_count=len(payloads))
            assert recorder.payloads == payloads
            assert {message.topic for message in recorder.messages} == {"bw/v1/SIP/TRK-001/events"}
            assert {len(message.properties) for message in recorder.messages} == {0}

    run(story())


def test_messages_of_almost_a_mebibyte_arrive_whole(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage, max_bytes=4 << 20) as (source, devices):
            sent = [(f"TRK-{n % 3}", bytes([n]) * 1_000_000) for n in range(24)]
            publishing = asyncio.create_task(devices.publish_all(sent))
            await recorder.record(source, until_count=len(sent))
            await publishing
            for n in range(3):
                assert recorder.of(f"TRK-{n}") == [
                    payload for device, payload in sent if device == f"TRK-{n}"
                ]

    run(story())


def test_a_rewind_gives_again_what_was_not_committed(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage, max_batch=4) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 10))
            await recorder.finish(await source.receive())
            kept = len(recorder.messages)
            failed = await source.receive()
            ahead = await source.receive()
            await source.rewind()
            again = await source.receive()
            assert again.messages[0].payload == failed.messages[0].payload
            assert ahead.messages[0].payload != failed.messages[0].payload
            await recorder.finish(again)
            await recorder.record(source, until_count=10)
            assert kept < 10
            assert recorder.of("TRK-001") == [b"TRK-001 %d" % n for n in range(10)]

    run(story())


def test_what_was_not_acknowledged_comes_again_after_a_stop(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        source = await stage.source("w1")
        devices = Devices(stage.broker.mqtt_port)
        await devices.publish_all(numbered("TRK-001", 5))
        await recorder.record(source, until_count=5)
        await devices.publish_all(numbered("TRK-001", 5, first=5))
        lost = await source.receive()
        assert lost.messages[0].payload == b"TRK-001 5"
        await source.close()
        await devices.publish_all(numbered("TRK-001", 5, first=10))
        second = await stage.source("w2")
        await recorder.record(second, until_count=15)
        assert recorder.of("TRK-001") == [b"TRK-001 %d" % n for n in range(15)]
        devices.close()
        await second.close()

    run(story())


def test_nothing_is_lost_when_the_broker_is_restarted(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 20))
            await recorder.record(source, until_count=10)
            await asyncio.to_thread(stage.broker.stop)
            await asyncio.to_thread(stage.broker.start)
            if isinstance(source, MqttSource):  # Mosquitto forgets shared subscriptions: see test_source_mqtt
                await until(lambda: bool(source.client_ids))
            publishing = asyncio.create_task(devices.publish_all(numbered("TRK-001", 20, first=20)))
            async with asyncio.timeout(PATIENCE_S):
                while len(set(recorder.payloads)) < 40:
                    await recorder.finish(await source.receive())
            await publishing
            assert sorted(set(recorder.payloads)) == sorted(payload for _, payload in numbered("TRK-001", 40))

    run(story())


def test_an_acknowledgement_of_another_connection_is_nothing(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        async with working(stage) as (source, devices):
            await devices.publish_all(numbered("TRK-001", 3))
            stale = await source.receive()
            assert len(stale.messages) <= 3
            await asyncio.to_thread(stage.broker.stop)
            await asyncio.to_thread(stage.broker.start)
            await until_all(source, recorder, 3)
            await stale.acknowledge()
            await devices.publish_all(numbered("TRK-001", 3, first=3))
            await until_all(source, recorder, 6)
            assert sorted(set(recorder.payloads)) == [b"TRK-001 %d" % n for n in range(6)]

    run(story())


def test_receipts_reach_a_device(stage: Stage) -> None:
    async def story() -> None:
        heard: list[tuple[str, bytes]] = []
        async with working(stage) as (source, devices):
            devices.hears("TRK-001", heard)
            await source.publish("bw/v1/SIP/TRK-001/receipts", b"{}")
            await until(lambda: heard == [("bw/v1/SIP/TRK-001/receipts", b"{}")])

    run(story())


def test_two_workers_share_the_messages(stage: Stage, database: str) -> None:
    async def story() -> None:
        first, second = Recorder(database), Recorder(database)
        async with working(stage) as (one, devices):
            two = await stage.source("w2")
            if isinstance(stage, JetStreamRig):
                share = "select count(*) filter (where owner = 'w2') = 8 from source_positions"
                await until_in_database(database, share)
            sent = [(f"TRK-{n % 100:03d}", b"%d" % n) for n in range(2000)]
            tasks = [asyncio.create_task(keep_recording(*pair)) for pair in ((one, first), (two, second))]
            await devices.publish_all(sent)
            await until(lambda: len(set(first.payloads + second.payloads)) == 2000)
            assert min(len(first.messages), len(second.messages)) > 200
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await two.close()

    run(story())


async def keep_recording(source: Source, recorder: Recorder) -> None:
    while True:
        await recorder.attempt(source)


WORKER = """
import asyncio, sys
from pathlib import Path
from tests.support import brokers
from tests.support.sources import JetStreamRig, MqttRig

async def main(kind, port, mqtt_port, dsn, worker):
    broker = brokers.NatsServer(Path(), [], int(mqtt_port), port=int(port))
    source = await (JetStreamRig if kind == "jetstream" else MqttRig)(broker, dsn).source(worker)
    while True:
        batch = await source.receive()
        for message in batch.messages:
            print(message.payload.decode(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        try:
            from tests.support.sources import Recorder
            await Recorder(dsn).commit(batch)
        except BaseException as error:
            print(type(error).__name__, flush=True)
            await source.rewind()
        else:
            await batch.acknowledge()
            print("committed", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def other_process(stage: Stage, worker: str) -> asyncio.subprocess.Process:
    """A worker in a process of its own: it prints what it receives, and commits when it is told to."""
    kind = "jetstream" if isinstance(stage, JetStreamRig) else "mqtt"
    port = stage.broker.port if isinstance(stage, JetStreamRig) else 0
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, kind, str(port), str(stage.broker.mqtt_port), stage.dsn, worker,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while True:
        text = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode().strip()
        if "[" not in text:  # its log
            return text


def test_a_killed_worker_is_followed_within_five_seconds(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        dead = await other_process(stage, "w1")
        await until_in_database(stage.dsn, READS)
        devices = Devices(stage.broker.mqtt_port)
        source = None
        try:
            await devices.publish_all(numbered("TRK-001", 1))
            assert await line(dead) == "TRK-001 0"
            dead.kill()
            killed = time.monotonic()
            source = await stage.source("w2")
            await devices.publish_all(numbered("TRK-001", 3, first=1))
            await until_all(source, recorder, 4)
            assert time.monotonic() - killed < 6.5  # the lease, and the machine's own slowness
            assert sorted(set(recorder.payloads)) == [b"TRK-001 %d" % n for n in range(4)]
        finally:
            await dead.wait()
            devices.close()
            if source is not None:
                await source.close()

    run(story())


def test_a_stopped_worker_that_wakes_commits_nothing_twice(stage: Stage, recorder: Recorder) -> None:
    async def story() -> None:
        zombie = await other_process(stage, "w1")
        await until_in_database(stage.dsn, READS)
        devices = Devices(stage.broker.mqtt_port)
        source = None
        try:
            await devices.publish_all(numbered("TRK-001", 1))
            assert await line(zombie) == "TRK-001 0"
            zombie.send_signal(signal.SIGSTOP)
            source = await stage.source("w2")
            await until_all(source, recorder, 1)
            zombie.send_signal(signal.SIGCONT)
            assert zombie.stdin is not None
            zombie.stdin.write(b"commit\n")
            await zombie.stdin.drain()
            # Its batch is fenced; where no position fences it, its acknowledgement goes nowhere.
            expected = "Fenced" if isinstance(stage, JetStreamRig) else "committed"
            assert await line(zombie) == expected
            await devices.publish_all(numbered("TRK-002", 1))
            await until_either(source, recorder, zombie, b"TRK-002 0")
        finally:
            zombie.kill()
            await zombie.wait()
            devices.close()
            if source is not None:
                await source.close()

    run(story())


READS = """
select count(*) > 0 from (
    select from source_positions where owner = 'w1'
    union all select from mqtt_sessions where owner = 'w1' and through_at is not null
) held
"""


async def until_all(source: Source, recorder: Recorder, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(set(recorder.payloads)) < count:
            await recorder.attempt(source)


async def until_either(
    source: Source, recorder: Recorder, other: asyncio.subprocess.Process, payload: bytes
) -> None:
    """The message reaches this worker or the other: both are in business."""
    ours = asyncio.create_task(keep_recording(source, recorder))
    theirs = asyncio.create_task(line(other))
    try:
        await until(
            lambda: payload in recorder.payloads or (theirs.done() and theirs.result() == payload.decode())
        )
    finally:
        for task in (ours, theirs):
            task.cancel()
        await asyncio.gather(ours, theirs, return_exceptions=True)

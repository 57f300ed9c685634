"""A recorder beside real brokers that restart, and what a replay does to time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.observation import moment
from gateway.commands.replay import begin
from gateway.embedded.home import Home
from gateway.pipeline.batch import Message
from gateway.problem import Problem
from gateway.service import Worker
from gateway.sources.recording import Header, Recording, Writer
from gateway.sources.replay import ReplaySource
from tests.support.brokers import Broker, mosquitto, nats_server, running
from tests.support.installation import ROOT
from tests.support.installation import until as wait_until
from tests.support.recording import Station, at
from tests.support.rows import NOON_US, SECOND_US
from tests.support.sources import Devices, JetStreamRig, run
from tracking.store import positions
from tracking.store.database import connect


@pytest.fixture(params=["jetstream", "mqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> Iterator[tuple[Broker, str]]:
    """A running broker, and its address for settings."""
    if request.param == "mqtt":
        with running(made := mosquitto(tmp_path / "broker")):
            yield made, f"mqtt://127.0.0.1:{made.mqtt_port}"
        return
    with running(made_nats := nats_server(tmp_path / "broker")):
        rig = JetStreamRig(made_nats, database)

        async def make_stream() -> None:
            await (await rig.source("w1")).close()

        run(make_stream())
        yield made_nats, made_nats.url


def record(url: str, file: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BONDWATCH_")}
    Home(file.parent / "home").prepare()  # with the password of our user at a NATS server of the site
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "record", str(file), "--no-reference", "--json", *arguments],
        cwd=ROOT,
        env=environment | {"BONDWATCH_BROKER_URL": url, "BONDWATCH_HOME": str(file.parent / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def begun(url: str, file: Path) -> Iterator[subprocess.Popen[str]]:
    """A recorder that has begun its file; killed at the end, where it still runs."""
    with record(url, file) as recorder:
        try:
            wait_until(file.exists, "the recorder to begin")
            yield recorder
        finally:
            recorder.kill()


async def publish(port: int, count: int) -> None:
    devices = Devices(port)
    await devices.publish_all(("TRK-1", b"%d" % n) for n in range(count))
    devices.close()


def payloads(file: Path) -> list[bytes]:
    """Each once: what the broker sends again after a restart is in the file twice."""
    return list(dict.fromkeys(message.payload for message in Recording(file).messages()))


def test_nothing_is_missing_when_the_broker_restarts(broker: tuple[Broker, str], tmp_path: Path) -> None:
    made, url = broker
    file = tmp_path / "run.bwrec"
    with begun(url, file) as recorder:

        async def story() -> None:
            devices = Devices(made.mqtt_port)
            await devices.publish_all(("TRK-1", b"%d" % n) for n in range(200))
            made.stop(signal.SIGTERM)
            made.start()
            await devices.publish_all(("TRK-2", b"%d" % n) for n in range(200, 400))
            devices.close()

        asyncio.run(story())
        wait_until(lambda: len(payloads(file)) == 400, "all messages in the file")
        recorder.send_signal(signal.SIGINT)
        said, complained = recorder.communicate(timeout=20)
    assert recorder.returncode == 0, complained
    assert json.loads(said)["messages"] >= 400
    assert payloads(file) == [b"%d" % n for n in range(400)]
    assert Recording(file).survey().is_whole
    first = next(Recording(file).messages())
    assert first.topic == "bw/v1/SIP/TRK-1/events"


def test_a_killed_recorder_leaves_what_it_wrote(broker: tuple[Broker, str], tmp_path: Path) -> None:
    made, url = broker
    file = tmp_path / "run.bwrec"
    with begun(url, file):
        asyncio.run(publish(made.mqtt_port, 100))
        wait_until(lambda: len(payloads(file)) == 100, "all messages in the file")
    survey = Recording(file).survey()
    assert (survey.messages, survey.is_whole) == (100, False)
    assert survey.ended_us == survey.last_us > 0


class Tape:
    """A recording of one truck, ten seconds a message, and a station to play it into."""

    def __init__(
        self, directory: Path, database: str, recording_id: str = "aa" * 16, *, first: float = 0
    ) -> None:
        self.station = Station(database)
        self.file = directory / f"{recording_id}.bwrec"
        if not self.station.count("devices"):
            self.station.device("TRK-1")
        writer = Writer(self.file, Header(recording_id, "jetstream", NOON_US, False, "test"))
        writer.add_messages([self._message(round(first) + n, first + 10 * n) for n in range(30)])
        writer.end(NOON_US + round((first + 300) * SECOND_US))

    @staticmethod
    def _message(number: int, second: float) -> Message:
        said = {"run": 1, "seq": number, "type": "position", "time": NOON_US // 1000 + round(second * 1000)}
        body = json.dumps(said | {"lon": 120.7, "lat": 31.3}).encode()
        return Message("bw/v1/SIP/TRK-1/events", body, NOON_US + round(second * SECOND_US))

    def play(
        self, *, speed: float | None = None, until: Callable[[ReplaySource], bool] | None = None
    ) -> ReplaySource:
        """Play it to its end, or until something holds; then the worker is stopped in order."""
        recording = Recording(self.file)
        survey = recording.survey()
        begin(self.station.conn, recording, survey)

        async def story() -> ReplaySource:
            source = ReplaySource(recording, survey, dsn=self.station.dsn, worker="player", speed=speed)
            worker = Worker(source, self.station.road)
            running_worker = asyncio.create_task(worker.run())
            while not running_worker.done() and not (until or (lambda one: one.finished.is_set()))(source):
                await asyncio.sleep(0.02)
            worker.stop()
            await running_worker
            await source.close()
            return source

        return asyncio.run(story())

    def watermark(self) -> float | None:
        """In seconds after noon."""
        reached = positions.watermark(self.station.conn)
        return None if reached is None else (reached - moment(NOON_US)).total_seconds()


@pytest.fixture
def tape(tmp_path: Path, database: str) -> Iterator[Tape]:
    made = Tape(tmp_path, database)
    yield made
    made.station.close()


def test_times_are_those_of_the_recording(tape: Tape) -> None:
    tape.play()
    assert tape.station.rows("select min(received_at), max(received_at) from observations") == [
        (at(0), at(290))
    ]
    assert tape.watermark() == 300


def test_between_messages_time_passes_with_the_speed(tape: Tape) -> None:
    marks: list[float] = []

    def look(source: ReplaySource) -> bool:
        marks.append(tape.watermark() or 0)
        return source.done >= 4

    tape.play(speed=6, until=look)
    assert marks == sorted(marks)
    assert any(mark % 10 for mark in marks), "time only jumped from message to message"
    assert marks[-1] < 60
    assert tape.station.count("observations") < 30
    tape.play()
    assert tape.station.count("observations") == 30
    assert tape.watermark() == 300


def test_two_at_once_are_refused(tape: Tape) -> None:
    with connect(tape.station.dsn) as conn:
        recording = Recording(tape.file)
        begin(conn, recording, recording.survey())
        source = positions.replay_source(recording.survey().header.recording_id)
        assert positions.keep_replay(conn, source, "another")
        conn.execute("update source_positions set leased_until = 'infinity' where source = %s", (source,))
        with pytest.raises(BaseExceptionGroup) as refused:
            tape.play()
        assert refused.group_contains(Problem, match="another process plays")
    assert tape.station.count("observations") == 0


def test_a_later_recording_takes_time_further(tape: Tape, tmp_path: Path, database: str) -> None:
    tape.play()
    later = Tape(tmp_path, database, "bb" * 16, first=1000)
    later.play(speed=1, until=lambda source: source.done >= 1)
    assert 1000 <= (later.watermark() or 0) < 1010
    later.play()
    assert later.watermark() == 1300
    later.station.close()


def test_into_a_living_record_it_comes_as_late_data(tape: Tape) -> None:
    with connect(tape.station.dsn) as conn:
        held = positions.keep(conn, "jetstream", "w1", partitions=1)
        positions.mark_through(conn, "jetstream", "w1", {0: held[0].epoch}, NOON_US + 5000 * SECOND_US)
        conn.execute(
            "insert into batches (source, worker, recorded_at, events, root)"
            " values ('jetstream', 'w1', %s, 1, '')",
            (at(0),),
        )
    marks: set[float | None] = set()

    def look(source: ReplaySource) -> bool:
        marks.add(tape.watermark())
        return source.finished.is_set()

    tape.play(until=look)
    assert tape.station.count("observations") == 30
    assert marks == {5000}


def test_the_stream_is_recorded_from_its_start(tmp_path: Path, database: str) -> None:
    with running(made := nats_server(tmp_path / "broker")):
        rig = JetStreamRig(made, database)

        async def story() -> None:
            await (await rig.source("w1")).close()
            await publish(made.mqtt_port, 50)

        run(story())
        file = tmp_path / "run.bwrec"
        recorder = record(made.url, file, "--since", "start", "--for", "2")
        said, complained = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, complained
    assert json.loads(said) | {"bytes": 0} == {"messages": 50, "bytes": 0, "missed": 0}
    assert payloads(file) == [b"%d" % n for n in range(50)]


def test_what_only_a_stream_can_do_is_refused_elsewhere(tmp_path: Path) -> None:
    recorder = record("mqtt://127.0.0.1:1", tmp_path / "run.bwrec", "--since", "start")
    _, complained = recorder.communicate(timeout=30)
    assert recorder.returncode == 1
    assert complained.startswith("error: only JetStream keeps what was delivered")

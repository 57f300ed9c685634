"""A recorded run, played into a fresh database: the same record, and the same held of it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.demo.simulation import Simulation
from gateway.sources.recording import Recording
from tests.support.court import tasks
from tests.support.installation import ROOT, Installation, until
from tests.support.outcome import differences, outcome
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange.verify.run import run as verify
from tracking.judge.checkpoints import Checkpointer
from tracking.judge.loop import drain
from tracking.store import positions, work
from tracking.store.database import Connection, connect

EVENTS = 4000


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bw-replay-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def command(environment: dict[str, str], *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> dict[str, int]:
    said, complained = process.communicate(timeout=90)
    assert process.returncode == 0, complained[-3000:]
    line: dict[str, int] = json.loads(said.splitlines()[-1])
    return line


def observations(conn: Connection) -> int:
    row = conn.execute("select count(*) from observations").fetchone()
    assert row is not None
    return int(row[0])


def is_judged(conn: Connection) -> bool:
    reached = positions.watermark(conn)
    return reached is not None and work.unfinished(conn, reached) == 0


@pytest.mark.timeout(300)
def test_a_recorded_demo_ends_the_same_when_it_is_played(directory: Path, database: str) -> None:
    file = directory / "demo.bwrec"
    installation = Installation(directory, parts="all")
    try:
        found = installation.start()
        assert found.database_dsn is not None
        recorder = command(installation.environment, "record", file, "--json")
        until(file.exists, "the recorder to begin")
        simulation = Simulation(installation.home, found, "demo")
        try:
            with connect(found.database_dsn) as first:
                until(lambda: observations(first) >= EVENTS, f"{EVENTS} events", 90)
                simulation.finish(lambda over: until(over, "the simulator to end", 70) and None)
                until(lambda: is_judged(first), "everything to be judged", 60)
                recorder.send_signal(signal.SIGINT)
                recorded = told(recorder)
                until(lambda: is_judged(first), "everything to be judged", 60)
                expected = outcome(first)
        finally:
            simulation.kill()
    finally:
        installation.clear()
    assert recorded["missed"] == 0
    assert len(expected["observations"]) >= EVENTS
    assert expected["findings"], "a comparison of nothing proves nothing"
    assert expected["gate decisions"]

    environment = installation.environment | {"BONDWATCH_DATABASE_DSN": database}
    with connect(database) as second:
        killed = command(environment, "replay", file, "--speed", "6x", "--json")
        until(lambda: observations(second) >= 500, "the replay to begin", 60)
        killed.kill()
        killed.communicate()
        before = observations(second)
        assert before < len(expected["observations"]), "nothing was left to go on with"
        rest = told(command(environment, "replay", file, "--json"))
        assert rest["messages"] == rest["of"] == recorded["messages"]
        assert before + rest["recorded"] == len(expected["observations"])
        again = told(command(environment, "replay", file, "--json"))
        assert (again["recorded"], again["rejected"], again["reference_rows"]) == (0, 0, 0)

        drain(second, list(tasks().values()), lambda: datetime.now(UTC))
        assert is_judged(second)
        assert differences(expected, outcome(second)) == {}
        survey = Recording(file).survey()
        reached = positions.watermark(second)
        assert reached is not None
        assert round(reached.timestamp() * 1e6) == survey.ended_us

        while Checkpointer(Signer(bytes(range(32))), None).advance(second, datetime.now(UTC)):
            pass
        report = verify(database)
        assert report.differences == []
        assert report.observations == len(expected["observations"])

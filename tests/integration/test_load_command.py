"""``bondwatch load`` against a whole installation, and against bare brokers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.bench.instance import Instance
from gateway.load.check import check
from tests.support.brokers import Broker, mosquitto, nats_server, running
from tracking.store.database import connect

ROOT = Path(__file__).parents[2]


def load(*how: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"BONDWATCH_HOME": str(home or "/nonexistent"), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "load", *how],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    directory = Path(tempfile.mkdtemp(prefix="bw-load-", dir="/tmp"))
    directory.chmod(0o711)
    try:
        with Instance(directory) as running_one:
            yield running_one
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    make = {"nats": nats_server, "mosquitto": mosquitto}[request.param]
    with running(make(tmp_path / "broker")) as one:
        yield one


def test_everything_is_measured_and_nothing_lost(instance: Instance, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    how = ["--rate", "400", "--devices", "20", "--for", "5", "--drain", "30", "--json", "--html", str(page)]
    found = figures(load(*how, home=instance.home.path))
    assert (found["events"], found["durable"], found["committed"]) == (2000, 2000, 2000)
    assert found["check"]["lost"] == found["check"]["doubled"] == found["check"]["rejected"] == 0
    assert found["check"]["recorded"] > 2000  # the seals' own
    assert found["unanswered"] == found["resent"] == 0
    assert found["alerts_heard"] == found["alerts_expected"] >= 4
    durable, committed, alert = (found["latency_ms"][name] for name in ("durable", "committed", "alert"))
    assert 0 < durable["p50"] < committed["p50"]
    assert 0 < durable["p50"] < alert["p50"]
    assert page.read_text().count("<svg") == 4


def test_a_storm_of_reconnects_loses_and_doubles_nothing(instance: Instance) -> None:
    how = ["--rate", "400", "--devices", "20", "--for", "4", "--profile", "reconnect-storm", "--alerts", "0"]
    found = figures(load(*how, "--drain", "40", "--json", home=instance.home.path))
    assert found["connections"] == 20 * 4
    assert (found["events"], found["committed"], found["unanswered"]) == (1600, 1600, 0)
    assert found["check"] == {"recorded": 1600, "lost": 0, "doubled": 0, "rejected": 0, "unaccounted": 0}


def test_what_is_missing_is_counted(instance: Instance) -> None:
    how = ["--rate", "100", "--devices", "2", "--for", "1", "--alerts", "0", "--drain", "30", "--json"]
    figures(load(*how, home=instance.home.path))
    latest = "select run from observations group by run order by max(batch_id) desc limit 1"
    with connect(instance.dsn) as conn:
        (run,) = conn.execute(latest).fetchone() or (0,)
        told = check(conn, run, {"LOAD/L-000000": 53, "LOAD/L-000001": 50, "LOAD/L-000009": 4}, patience_s=0)
    assert (told.recorded, told.lost, told.doubled) == (100, 7, 0)


def test_a_bare_broker(broker: Broker) -> None:
    how = ["--bare", "--broker", f"mqtt://127.0.0.1:{broker.mqtt_port}", "--rate", "400", "--devices", "20"]
    found = figures(load(*how, "--for", "2", "--profile", "positions", "--json"))
    assert (found["events"], found["durable"], found["unanswered"]) == (800, 800, 0)
    assert found["latency_ms"]["durable"]["p50"] > 0
    assert found["latency_ms"]["committed"] is None
    assert found["check"] is None


def test_a_limit_is_found(tmp_path: Path) -> None:
    with running(nats_server(tmp_path / "broker")) as broker:
        where = ["--bare", "--broker", f"mqtt://127.0.0.1:{broker.mqtt_port}", "--devices", "5"]
        # No broker answers that fast: the first rates break, and the search goes down to its end.
        how = ["--find-limit", "--step", "2", "--rate", "100", "--p99", "1", "--drain", "5", "--json"]
        found = figures(load(*where, *how, "--per-publish", "1"))
    limit = found["limit"]
    assert limit["steps"]
    assert limit["broke_at"] is None or limit["rate"] < limit["broke_at"]
    assert {step["why"] for step in limit["steps"]} <= {None, "p99", "backlog", "generator"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (["--bare"], "error: --bare needs the broker's address"),
        (["--bare", "--broker", "http://x"], 'error: "http://x" is no MQTT address'),
        (["--bare", "--broker", "mqtt://127.0.0.1:1"], "is the broker there"),
        (["--rate", "10", "--devices", "1000"], "a message get no turn"),
        (["--html", "/nonexistent/x.html"], "there is no directory /nonexistent"),
        ([], "error: nothing runs on /nonexistent"),
    ],
)
def test_what_cannot_be_done_is_said(how: list[str], said: str) -> None:
    done = load(*how)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr

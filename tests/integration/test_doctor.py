"""The doctor, against a healthy installation and against made-up ailments."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor import database, machine, mqtt, stream
from gateway.doctor.finding import Finding, Level
from gateway.embedded.addresses import BrokerAddress
from gateway.embedded.home import Home
from gateway.settings import Settings
from gateway.subjects import PARTITIONS
from tests.support import brokers
from tests.support.installation import ROOT, Installation, until
from tests.support.postgres import Server
from tracking.store.database import Connection


def bondwatch(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments],
        cwd=ROOT,
        env=installation.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def by_subject(findings: list[Finding]) -> dict[str, Level]:
    """The worst level of each subject."""
    order = list(Level)
    worst: dict[str, Level] = {}
    for finding in findings:
        worst[finding.subject] = max(worst.get(finding.subject, Level.FINE), finding.level, key=order.index)
    return worst


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    directory = Path(tempfile.mkdtemp(prefix="bw-doctor-", dir="/tmp"))
    directory.chmod(0o755)
    made = Installation(directory, parts="all")
    made.start()
    yield made
    made.clear()
    shutil.rmtree(directory, ignore_errors=True)


def test_a_healthy_installation(installation: Installation) -> None:
    done = bondwatch(installation, "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert report["healthy"] is True
    subjects = {finding["subject"] for finding in report["findings"]}
    assert subjects >= {"versions", "home", "disk", "memory", "clock", "parts", "api", "database"}
    assert subjects >= {"timescaledb", "schema", "watermark", "judge", "outbox", "broker", "stream"}
    assert all(finding["advice"] for finding in report["findings"] if finding["level"] != "fine")
    people = bondwatch(installation, "doctor")
    assert people.returncode == 0
    assert "0 failures" in people.stdout


def test_a_worker_that_is_stopped_is_noticed(installation: Installation) -> None:
    worker = installation.refs()["gateway-1"]
    os.kill(worker.pid, signal.SIGSTOP)
    try:

        def report() -> str:
            return bondwatch(installation, "doctor").stdout

        until(lambda: "nobody reads" in report(), "the leases to end", 40)
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def test_nothing_running_is_no_failure(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    done = bondwatch(installation, "doctor")
    assert done.returncode == 0, done.stdout
    assert "nothing runs" in done.stdout


def test_a_taken_port_is_a_failure(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        installation.environment["BONDWATCH_API_PORT"] = str(taken.getsockname()[1])
        done = bondwatch(installation, "doctor")
    assert done.returncode == 1
    assert f"(pid {os.getpid()})" in done.stdout
    assert "BONDWATCH_API_PORT" in done.stdout


def test_a_readable_secret_is_a_failure(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    home.secret_file("nats_issuer_seed").chmod(0o644)
    worst = by_subject(list(machine.data_directory(home)))
    assert worst["secrets"] is Level.FAILURE


@pytest.mark.parametrize(
    ("free_gib", "level"), [(0.5, Level.FAILURE), (5.0, Level.WARNING), (50.0, Level.FINE)]
)
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gib: float, level: Level) -> None:
    usage = type(shutil.disk_usage("/"))(100 << 30, 0, int(free_gib * (1 << 30)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    settings = Settings.load(home=tmp_path / "home")
    (found,) = machine.disk(settings, Home(settings.home))
    assert found.level is level


def test_a_database_that_is_away() -> None:
    (found,) = database.look("postgresql://u@127.0.0.1:1/d", embedded=False)
    assert found.level is Level.FAILURE


def test_a_database_without_its_schema(postgres: Server) -> None:
    dsn = postgres.create(migrated=False)
    worst = by_subject(list(database.look(dsn, embedded=False)))
    assert worst["schema"] is Level.FAILURE
    assert worst["durability"] is Level.FAILURE  # the tests' server runs with fsync off


def test_what_waits_in_the_database(conn: Connection) -> None:
    now = datetime.now(UTC)
    assert set(by_subject(list(database.contents(conn, now))).values()) == {Level.FINE}
    conn.execute(
        "insert into outbox (topic, payload, created_at) values ('t', 'x', %s)", (now - timedelta(minutes=5),)
    )
    conn.execute(
        """insert into rejections (key, topic, payload, reason, detail, received_at, recorded_at)
        values ('k', 't', 'x', 'unreadable', 'd', %(now)s, %(now)s)""",
        {"now": now},
    )
    conn.execute(
        "insert into source_positions (source, partition, through_at) values ('jetstream', 0, %s)",
        (now - timedelta(minutes=5),),
    )
    conn.execute(
        "insert into work (kind, key, changed_from, due_at) values ('device', 1, %(t)s, %(t)s)",
        {"t": now - timedelta(minutes=10)},
    )
    worst = by_subject(list(database.contents(conn, now)))
    assert {name for name, level in worst.items() if level is Level.WARNING} == {
        "outbox",
        "rejections",
        "watermark",
        "judge",
    }


def info(*, first: int = 1, last: int = 100, size: int = 1000, most: int = 10_000) -> dict[str, Any]:
    return {
        "config": {"discard": "old", "storage": "file", "max_bytes": most, "max_age": 86400 * 10**9},
        "state": {"messages": last - first + 1, "bytes": size, "first_seq": first, "last_seq": last},
    }


def held(sequence: int, *, owned: bool = True) -> dict[int, tuple[int, bool]]:
    return dict.fromkeys(range(PARTITIONS), (sequence, owned))


@pytest.mark.parametrize(
    ("stream_info", "positions", "expected"),
    [
        (info(), held(100), {"distance": Level.FINE}),
        (info(first=51), held(20), {"stream": Level.FAILURE}),  # 21 to 50 are gone
        (info(size=9_900), held(1), {"distance": Level.FAILURE}),
        (info(size=7_000), held(10), {"distance": Level.WARNING}),
        (info(last=200_000), held(10), {"distance": Level.WARNING}),
        (info(), held(100, owned=False), {"stream": Level.FAILURE, "distance": Level.FINE}),
        (info(), {}, {"stream": Level.WARNING}),
    ],
)
def test_the_distance_between_stream_and_record(
    stream_info: dict[str, Any], positions: dict[int, tuple[int, bool]], expected: dict[str, Level]
) -> None:
    worst = by_subject(list(stream.distance(stream_info, positions)))
    assert {subject: worst[subject] for subject in expected} == expected


def test_a_stream_that_refuses_when_full_is_a_failure() -> None:
    stream_info = info()
    stream_info["config"] |= {"discard": "new", "storage": "memory"}
    levels = [finding.level for finding in stream.limits(stream_info)]
    assert levels.count(Level.FAILURE) == 2


def test_mosquitto_as_it_comes_is_a_failure_and_as_we_want_it_is_fine(tmp_path: Path) -> None:
    silent = tmp_path / "silent.conf"
    silent.write_text("listener 1883\n")
    assert by_subject(list(mqtt.mosquitto(silent)))["mosquitto"] is Level.FAILURE

    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "queues.conf").write_text("max_queued_messages 0\nautosave_interval 30\n")
    good = tmp_path / "good.conf"
    good.write_text(f"persistence true\nmax_packet_size 2000000\ninclude_dir {tmp_path}/conf.d\n")
    assert list(mqtt.mosquitto(good)) == []

    good.write_text("persistence true\nmax_queued_messages 0\n")
    assert [finding.level for finding in mqtt.mosquitto(good)] == [Level.WARNING]  # saves every 1800 s
    assert [finding.level for finding in mqtt.mosquitto(tmp_path / "none.conf")] == [Level.FAILURE]


def test_a_real_mosquitto(tmp_path: Path) -> None:
    broker = brokers.mosquitto(tmp_path)
    with brokers.running(broker):
        address = BrokerAddress("mqtt", "127.0.0.1", broker.mqtt_port, user="doctor", password="x-1")
        found = list(mqtt.look(address, tmp_path / "mosquitto.conf"))
    assert "mosquitto version" in next(one.says for one in found if one.subject == "broker").lower()
    says = " ".join(finding.says for finding in found)
    assert "receive maximum" in says
    assert "anyone may connect" in says  # the tests' broker is open
    assert "it saves every 1800 s" in says


def test_a_broker_that_is_away_or_lets_us_not_in(tmp_path: Path) -> None:
    nobody = BrokerAddress("mqtt", "127.0.0.1", 1, user="doctor", password="x-1")
    assert [finding.level for finding in mqtt.look(nobody, None)] == [Level.FAILURE]
    broker = brokers.mosquitto(tmp_path, extra="allow_anonymous false\n")
    with brokers.running(broker):
        address = BrokerAddress("mqtt", "127.0.0.1", broker.mqtt_port, user="doctor", password="x-1")
        (found,) = mqtt.look(address, None)
    assert found.level is Level.FAILURE
    assert "lets us not in" in found.says
    away = BrokerAddress("nats", "127.0.0.1", 1, user="doctor", password="x-1")
    assert [finding.level for finding in stream.look([away], None)] == [Level.FAILURE]

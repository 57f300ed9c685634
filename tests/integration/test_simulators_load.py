"""The load generator against real brokers: every event it says it published arrived, whatever broke."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Broker, mosquitto, nats_server, running
from tests.support.confirming import ConfirmingGateway

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    make = {"nats": nats_server, "mosquitto": mosquitto}[request.param]
    with running(make(tmp_path / "broker")) as broker:
        yield broker


def load(
    broker: Broker, tmp_path: Path, *how: str, files: tuple[int, int] | None = None
) -> subprocess.Popen[str]:
    devices = tmp_path / "devices"
    devices.write_text("".join(json.dumps({"name": f"SIP/L-{n}", "secret": "x"}) + "\n" for n in range(20)))
    where = ["--mqtt", f"127.0.0.1:{broker.mqtt_port}", "--devices-file", str(devices)]
    return subprocess.Popen(
        [sys.executable, "-m", "simulators.load", *where, "--ledger", str(tmp_path / "ledger"), *how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if files is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, files),  # noqa: PLW1509
    )


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return dict(json.loads(out.splitlines()[-1]))


def expected(tmp_path: Path) -> set[tuple[str, int, int]]:
    entries = map(json.loads, (tmp_path / "ledger").read_text().splitlines())
    return {(entry["name"], entry["run"], seq) for entry in entries for seq in range(1, entry["last"] + 1)}


@pytest.mark.parametrize("per_publish", [1, 10])
def test_everything_published_arrives_once(broker: Broker, tmp_path: Path, per_publish: int) -> None:
    with ConfirmingGateway(broker.mqtt_port) as gateway:
        totals = ended(
            load(broker, tmp_path, "--events", "2005", "--per-publish", str(per_publish), "--json")
        )
        assert totals["published"] == totals["acknowledged"] == 2005
        assert (totals["receipted"], totals["resent"], totals["connections"]) == (None, 0, 20)
        gateway.wait_until(lambda: len(gateway.recorded) == 2005, "all of it")
        assert set(gateway.recorded) == expected(tmp_path)
        assert max(gateway.heard.values()) == 1
        times = sorted(event["time"] for event in gateway.recorded.values())
        assert times[-1] / 1000 <= totals["started_at"]
        assert times[0] / 1000 > totals["started_at"] - 300


def test_the_rate_is_kept(broker: Broker, tmp_path: Path) -> None:
    totals = ended(load(broker, tmp_path, "--events", "1000", "--rate", "1000", "--json"))
    assert totals["published"] == 1000
    assert 0.9 < totals["seconds"] < 2.0


def test_until_receipt_outlives_a_killed_broker_and_a_deaf_gateway(broker: Broker, tmp_path: Path) -> None:
    with ConfirmingGateway(broker.mqtt_port) as gateway:
        gateway.receipts = False
        process = load(broker, tmp_path, "--events", "20000", "--until-receipt", "--json")
        gateway.wait_until(lambda: len(gateway.recorded) > 1000, "some of it")
        broker.stop(signal.SIGKILL)
        gateway.receipts = True
        broker.start()
        totals = ended(process)
        assert totals["published"] == totals["receipted"] == 20_000
        assert totals["resent"] > 0
        assert totals["connections"] > 20
        assert set(gateway.recorded) == expected(tmp_path)
        assert gateway.changed == []
        assert Counter(device for device, _, _ in gateway.recorded) == {f"SIP/L-{n}": 1000 for n in range(20)}


def test_more_devices_than_files_of_a_shell_connect(broker: Broker, tmp_path: Path) -> None:
    few = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = load(broker, tmp_path, "--events", "100", "--json", files=(24, few[1]))
    assert ended(process)["connections"] == 20


def test_more_devices_than_files_of_the_machine_are_refused(tmp_path: Path) -> None:
    broker = nats_server(tmp_path / "never-started")
    process = load(broker, tmp_path, "--events", "100", files=(24, 24))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.startswith("error: 20 connections of one process need 84 open files, and it may have 24")


def test_nobody_there_is_said(tmp_path: Path) -> None:
    broker = nats_server(tmp_path / "never-started")
    process = load(broker, tmp_path, "--events", "10")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.startswith("error: ")

"""The demo from the command line, against a real broker, a stub of the API and a gateway that confirms."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from devices.client.outbox import Outbox
from tests.support.brokers import Broker, nats_server, running
from tests.support.confirming import ConfirmingGateway

ROOT = Path(__file__).parents[2]
KEY = "a-key"


class StubApi:
    """Remembers what it was sent; a device is registered once, and told its secret once."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.devices: set[str] = set()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = stub.answer(self.command, self.path, body)
                if self.headers["Authorization"] != f"Bearer {KEY}":
                    status, answer = 401, {}
                said = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_PUT = do_POST  # noqa: N815 - the base class's name

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append((method, path, body))
        if path != "/v1/devices":
            return 200, {"secret": "another"} if path.endswith("/secret") else {}
        name = f"{body['park']}/{body['code']}"
        if name in self.devices:
            return 409, {}
        self.devices.add(name)
        return 201, {"name": name, "secret": f"secret of {name}"}

    def sent(self, path: str) -> list[dict[str, Any]]:
        return [body for _, at, body in self.calls if at == f"/v1/{path}"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[StubApi]:
    stub = StubApi()
    yield stub
    stub.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running(nats_server(tmp_path / "nats")) as broker:
        yield broker


def demo(api: StubApi, broker: Broker, tmp_path: Path, *more: str) -> subprocess.Popen[str]:
    key = tmp_path / "key"
    if not key.exists():
        key.write_text(KEY + "\n")
    where = ["--api", api.base, "--api-key-file", str(key), "--mqtt", f"127.0.0.1:{broker.mqtt_port}"]
    return subprocess.Popen(
        [sys.executable, "-m", "simulators", "demo", *where, "--state", str(tmp_path / "state"), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return dict(json.loads(out.splitlines()[-1]))


def test_the_demo_is_told_whole_and_a_second_one_sends_another_crew(
    api: StubApi, broker: Broker, tmp_path: Path
) -> None:
    with ConfirmingGateway(broker.mqtt_port) as gateway:
        process = demo(api, broker, tmp_path, "--speed", "900")
        gateway.wait_until(lambda: len(gateway.numbers("SIP/TRK-002")) > 300, "the past is uploaded", 60)
        process.send_signal(signal.SIGTERM)
        summary = ended(process)
        recorded = Counter(event["type"] for event in gateway.recorded.values())
        assert summary["published"] == len(gateway.recorded) + summary["rubbish"]
        assert summary["rubbish"] == 1
        assert (
            sum(count - 1 for count in gateway.heard.values())
            == summary["duplicates_sent"] + summary["resent"]
        )
        assert summary["duplicates_sent"] == 60
        assert (summary["unconfirmed"], summary["rejected"], summary["carried_over"]) == (0, 0, 0)
        assert gateway.changed == []
        assert set(recorded) == {"position", "scan", "gate", "seal", "reading", "status"}
        assert gateway.presence["SIP/SC-003"].count("offline") >= 1
        for name in api.devices:
            numbers = gateway.numbers(name)
            assert numbers == list(range(1, len(numbers) + 1)), name

        assert len(api.sent("shipments")) == 24
        assert len(api.sent("attachments")) == 30
        assert (tmp_path / "state" / "secrets.json").stat().st_mode & 0o777 == 0o600
        first = set(api.devices)
        again = ended(demo(api, broker, tmp_path, "--for", "3", "--speed", "900"))
        assert again["unconfirmed"] == 0
        assert again["published"] > 100
        assert len(api.devices - first) == 40, "all but the seven gates"
        assert gateway.changed == []
        assert len({body["number"] for body in api.sent("shipments")}) == 48


def test_what_a_killed_run_left_behind_is_delivered_by_the_next(
    api: StubApi, broker: Broker, tmp_path: Path
) -> None:
    with ConfirmingGateway(broker.mqtt_port) as gateway:
        gateway.receipts = False
        process = demo(api, broker, tmp_path, "--speed", "900")
        gateway.wait_until(lambda: len(gateway.numbers("SIP/TRK-001")) > 50, "some of it", 60)
        process.kill()
        process.wait()
        gateway.receipts = True
        summary = ended(demo(api, broker, tmp_path, "--speed", "900", "--for", "4"))
        assert summary["carried_over"] > 500
        assert summary["unconfirmed"] == 0
        for name in api.devices:
            outbox = Outbox(tmp_path / "state" / "outboxes" / f"{name.replace('/', '_')}.outbox", name)
            assert outbox.waiting == 0
            assert gateway.numbers(name) == list(range(1, outbox.last_seq + 1)), name
            outbox.close()
        assert gateway.changed == []


def test_it_says_what_is_wrong(api: StubApi, broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("wrong")
    process = demo(api, broker, tmp_path)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.startswith("error: PUT /v1/parks/SIP: 401")

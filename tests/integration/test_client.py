"""The device SDK against real brokers: nothing lost, nothing renumbered, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.client import Device, DeviceBroken, Loop, OutboxFull, Position, Scan
from devices.messages import Command
from devices.observation import Action
from tests.support.brokers import Broker, free_ports, mosquitto, nats_server, running
from tests.support.certificates import certificates
from tests.support.confirming import ConfirmingGateway

NAME = "SIP/TRK-001"
HERE = Position(lon=120.8111, lat=31.3425, accuracy_m=9)


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running(nats_server(tmp_path_factory.mktemp("nats"))) as broker:
        yield broker


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    make = {"nats": nats_server, "mosquitto": mosquitto}[request.param]
    with running(make(tmp_path / "broker")) as broker:
        yield broker


@pytest.fixture
def gateway(nats: Broker) -> Iterator[ConfirmingGateway]:
    with ConfirmingGateway(nats.mqtt_port) as gateway:
        yield gateway


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A device of its own for each test, because they share a broker."""
    return (
        f"SIP/{request.node.name.replace('test_', '')[:60]}".replace("[", "-")
        .replace("]", "")
        .replace(".", "")
    )


@pytest.fixture
def device(nats: Broker, name: str, tmp_path: Path) -> Iterator[Device]:
    with Device("127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=tmp_path / "o.outbox") as device:
        yield device


def eventually(holds: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.01)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_an_event_is_confirmed_by_its_receipt(protocol: str, broker: Broker, tmp_path: Path) -> None:
    if protocol == "5" and "nats" in broker.command[0]:
        protocol = "3.1.1"  # NATS speaks no other
    with (
        ConfirmingGateway(broker.mqtt_port) as gateway,
        Device(
            "127.0.0.1", broker.mqtt_port, name=NAME, password="x", outbox=tmp_path / "o", protocol=protocol
        ) as device,
    ):
        when = datetime.now(UTC) - timedelta(minutes=1)
        assert device.report(HERE, time=when) == 1
        assert device.flush(10)
        assert gateway.recorded == {
            (NAME, device.run, 1): {
                "run": device.run, "seq": 1, "time": int(when.timestamp() * 1000), "type": "position",
                "lon": 120.8111, "lat": 31.3425, "accuracy_m": 9.0,
            }
        }  # fmt: skip
        assert device.counts.confirmed == 1
        gateway.wait_until(lambda: gateway.presence[NAME] == ["online"], "presence")
    assert device.state == "disconnected"


def test_events_go_in_arrays_and_in_order(device: Device, gateway: ConfirmingGateway, name: str) -> None:
    numbers = device.report_all([(1_700_000_000_000 + n, HERE) for n in range(2_500)])
    assert numbers == range(1, 2_501)
    assert device.flush(20)
    assert gateway.numbers(name) == list(numbers)
    mine = [json.loads(payload) for _, of, payload in gateway.payloads if of == name]
    assert max(map(len, mine)) == 100
    assert [event["seq"] for array in mine for event in array] == list(numbers)
    assert device.counts.sent_again == 0


def test_what_was_reported_offline_goes_out_when_connected(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    with Device(
        "127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=tmp_path / "o", connect=False
    ) as device:
        device.report_all([(n, HERE) for n in range(250)])
        assert not device.wait_online(0)
        device.connect()
        assert device.flush(10)
        device.disconnect()
        gateway.wait_until(lambda: gateway.presence[name] == ["online", "offline"], "said goodbye")
        device.report(HERE)
        assert device.waiting == 1
        device.connect()
        assert device.flush(10)
    assert gateway.numbers(name) == list(range(1, 252))


def test_killed_in_the_middle_nothing_is_lost_nothing_renumbered(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    """A reporter is killed five times; what it was told to be stored is delivered, under the same numbers."""
    outbox, told = tmp_path / "o", tmp_path / "told"
    for _ in range(5):
        enough = lines(told) + 40
        reporter = subprocess.Popen(
            [sys.executable, "-c", REPORTER, str(nats.mqtt_port), name, str(outbox), str(told)],
            cwd=Path(__file__).parents[2],
        )
        eventually(lambda enough=enough: lines(told) > enough, "reporter reports")
        os.kill(reporter.pid, signal.SIGKILL)
        reporter.wait()
    with Device("127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=outbox) as device:
        last = device.report(Scan("the-last", action=Action.STORING))
        assert device.flush(20)
    numbers = gateway.numbers(name)
    assert numbers == list(range(1, last + 1)), "one run, no hole"
    assert {run for of, run, _ in gateway.recorded if of == name} == {device.run}
    assert gateway.changed == []
    codes = {seq: event["code"] for (of, _, seq), event in gateway.recorded.items() if of == name}
    promised = dict(line.split(maxsplit=1) for line in told.read_text().splitlines())
    assert len(promised) > 200
    assert {seq: codes[int(seq)] for seq in promised} == promised
    assert len(set(codes.values())) == len(codes), "no event under two numbers"


def lines(told: Path) -> int:
    return told.read_text().count("\n") if told.exists() else 0


REPORTER = """
import sys, uuid
from devices.client import Device, Scan
from devices.observation import Action
port, name, outbox, told = sys.argv[1:]
device = Device("127.0.0.1", int(port), name=name, password="x", outbox=outbox)
with open(told, "a") as lines:
    while True:
        code = uuid.uuid4().hex
        lines.write(f"{device.report(Scan(code, action=Action.STORING), wait_s=30)} {code}\\n")
        lines.flush()
"""


def test_a_publish_that_never_arrives_goes_again(
    device: Device, gateway: ConfirmingGateway, name: str
) -> None:
    lost: list[bytes] = []

    def lose_the_first(payload: bytes) -> bool:
        if not lost and b'"lost"' in payload:
            lost.append(payload)
            return True
        return False

    gateway.lose = lose_the_first
    device.report(Scan("lost", action=Action.STORING))
    eventually(lambda: bool(lost), "the publish was lost")
    assert device.flush(10), "sent again after two seconds of silence"
    assert gateway.numbers(name) == [1]
    assert device.counts.sent_again == 1


def test_a_gateway_that_is_away_is_not_flooded(device: Device, gateway: ConfirmingGateway, name: str) -> None:
    gateway.receipts = False
    device.report_all([(n, HERE) for n in range(5_000)])
    gateway.wait_until(lambda: len(gateway.numbers(name)) == 1_000, "the window is out")
    gateway.wait_until(lambda: gateway.heard[name, device.run, 1] == 2, "the oldest is asked about again")
    assert sum(count for (of, _, _), count in gateway.heard.items() if of == name) == 1_100
    gateway.receipts = True
    gateway.confirm(name, device.run, (1, 1_000))
    assert device.flush(20)
    assert gateway.numbers(name) == list(range(1, 5_001))


def test_refused_events_move_aside_with_their_reason(
    device: Device, gateway: ConfirmingGateway, name: str
) -> None:
    gateway.refuse = lambda event: "future" if event["seq"] == 2 else None
    device.report_all([(n, HERE) for n in range(3)])
    assert device.flush(10)
    assert gateway.numbers(name) == [1, 3]
    refused = device.rejected()
    assert [(event.seq, event.reason) for event in refused] == [(2, "future")]
    assert json.loads(refused[0].body)["seq"] == 2
    assert (device.counts.confirmed, device.counts.rejected) == (2, 1)


def test_a_full_outbox_refuses_the_newest_and_loses_nothing(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    with Device(
        "127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=tmp_path / "o", capacity=3, connect=False
    ) as device:
        device.report_all([(n, HERE) for n in range(3)])
        with pytest.raises(OutboxFull, match="3 events wait for their receipt"):
            device.report(HERE)
        device.connect()
        assert device.report(HERE, wait_s=10) == 4, "waits for room, and the refused call used no number"
        assert device.flush(10)
    assert gateway.numbers(name) == [1, 2, 3, 4]


def test_resend_sends_what_is_asked_for_and_says_what_is_gone(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    with Device(
        "127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=tmp_path / "o", keep=50
    ) as device:
        for _ in range(2):
            device.report_all([(n, HERE) for n in range(100)])
            assert device.flush(10)
        missing = {"run": device.run, "missing": [[148, 152], [199, 199]]}
        gateway.command(name, Command("r-1", "resend", missing))
        gateway.wait_until(lambda: len(gateway.facts(name, "result")) == 1, "the answer")
        (answer,) = gateway.facts(name, "result")
        assert answer["command"] == "r-1"
        assert not answer["ok"]
        assert answer["detail"] == "3 of 6 are still held and go out again"
        gateway.wait_until(lambda: gateway.heard[name, device.run, 199] == 2, "sent again")
        again = [seq for (of, _, seq), count in gateway.heard.items() if of == name and count > 1]
        assert sorted(again) == [151, 152, 199]
        assert device.flush(10)
        assert gateway.changed == []


def test_a_command_is_done_once_and_answered(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    done: list[str] = []

    def handler(command: Command) -> str | None:
        done.append(command.id)
        if command.command == "jam":
            raise RuntimeError("barrier jammed")
        return f"opened {command.args['lane']}"

    with Device(
        "127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=tmp_path / "o", on_command=handler
    ) as device:
        assert device.wait_online(10)
        gateway.command(name, b"{not json")
        gateway.command(name, Command("c-1", "open", {"lane": "2"}))
        gateway.command(name, Command("c-1", "open", {"lane": "2"}))
        gateway.command(name, Command("c-2", "jam"))
        gateway.command(name, Command("c-3", "open", {"lane": "2"}, datetime.now(UTC) - timedelta(hours=1)))
        gateway.wait_until(lambda: len(gateway.facts(name, "result")) == 3, "three answers")
    assert done == ["c-1", "c-2"]
    answers = {
        fact["command"]: (fact["ok"], fact.get("detail", "")) for fact in gateway.facts(name, "result")
    }
    assert answers["c-1"] == (True, "opened 2")
    assert answers["c-2"] == (False, "barrier jammed")
    assert not answers["c-3"][0]
    assert answers["c-3"][1].startswith("expired at")
    assert device.counts.unreadable == 1


def test_a_command_sent_while_the_device_is_away_waits_for_it(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    done: list[str] = []
    with Device(
        "127.0.0.1", nats.mqtt_port, name=name, password="x", outbox=tmp_path / "o",
        on_command=lambda command: done.append(command.id),
    ) as device:  # fmt: skip
        assert device.wait_online(10)
        device.disconnect()
        gateway.command(name, Command("c-9", "beep"))
        device.connect()
        gateway.wait_until(lambda: len(gateway.facts(name, "result")) == 1, "answered after coming back")
    assert done == ["c-9"]


def test_a_device_that_vanishes_is_announced_offline_by_its_will(
    nats: Broker, gateway: ConfirmingGateway, name: str, tmp_path: Path
) -> None:
    reporter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            REPORTER,
            str(nats.mqtt_port),
            name,
            str(tmp_path / "o"),
            str(tmp_path / "told"),
        ],
        cwd=Path(__file__).parents[2],
    )
    gateway.wait_until(lambda: gateway.presence.get(name) == ["online"], "online")
    reporter.kill()
    reporter.wait()
    gateway.wait_until(lambda: gateway.presence[name] == ["online", "offline"], "its will")


def test_the_broker_dies_and_comes_back(broker: Broker, tmp_path: Path) -> None:
    with (
        ConfirmingGateway(broker.mqtt_port) as gateway,
        Device("127.0.0.1", broker.mqtt_port, name=NAME, password="x", outbox=tmp_path / "o") as device,
    ):
        device.report_all([(n, HERE) for n in range(50)])
        assert device.flush(10)
        broker.stop(signal.SIGKILL)
        eventually(lambda: device.state != "online", "noticed")
        device.report_all([(n, HERE) for n in range(50)])
        broker.start()
        assert device.flush(30)
        assert gateway.numbers(NAME) == list(range(1, 101))
        assert device.counts.connections == 2


def test_it_says_why_it_is_not_online(tmp_path: Path) -> None:
    guarded = nats_server(
        tmp_path / "guarded",
        extra=f'authorization {{ users: [{{ user: "{NAME}", password: "right" }}] }}',
    )
    device = Device("127.0.0.1", guarded.mqtt_port, name=NAME, password="wrong", outbox=tmp_path / "o")
    with device:
        device.report(HERE)
        eventually(lambda: "refused" in device.state, "nobody listens there")
        with running(guarded):
            eventually(lambda: device.state.startswith("refused: "), "the password is wrong")
            assert device.waiting == 1


def test_tls(tmp_path: Path) -> None:
    authority, certificate, key = certificates(tmp_path)
    (port,) = free_ports(1)
    broker = mosquitto(
        tmp_path / "broker",
        extra=f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n",
    )
    trusting, strict = ssl.create_default_context(cafile=str(authority)), ssl.create_default_context()
    with (
        running(broker),
        ConfirmingGateway(broker.mqtt_port) as gateway,
        Device("127.0.0.1", port, name=NAME, password="x", outbox=tmp_path / "a", tls=trusting) as device,
        Device("127.0.0.1", port, name="SIP/B", password="x", outbox=tmp_path / "b", tls=strict) as doubting,
    ):
        device.report_all([(n, HERE) for n in range(300)])
        assert device.flush(10)
        assert gateway.numbers(NAME) == list(range(1, 301))
        eventually(lambda: "certificate verify failed" in doubting.state, "it does not trust this broker")


def test_a_device_whose_disk_fails_says_so_and_its_neighbours_go_on(nats: Broker, tmp_path: Path) -> None:
    loop = Loop()
    with ConfirmingGateway(nats.mqtt_port) as gateway:
        broken, well = (
            Device(
                "127.0.0.1",
                nats.mqtt_port,
                name=f"SIP/{name}",
                password="x",
                outbox=tmp_path / name,
                loop=loop,
            )
            for name in ("BROKEN", "WELL")
        )
        assert broken.wait_online(10)
        broken._outbox.close()  # what a failing disk looks like
        gateway.confirm("SIP/BROKEN", broken.run, (1, 1))
        eventually(lambda: broken._error is not None, "it noticed")
        with pytest.raises(DeviceBroken, match="closed database"):
            broken.report(HERE)
        well.report(HERE)
        assert well.flush(10)
        broken.close()
        well.close()
    loop.close()


def test_fifty_devices_share_one_thread(nats: Broker, gateway: ConfirmingGateway, tmp_path: Path) -> None:
    loop = Loop()
    devices = [
        Device(
            "127.0.0.1", nats.mqtt_port, name=f"SIP/MANY-{n}", password="x", outbox=tmp_path / f"{n}",
            synchronous="NORMAL", loop=loop,
        )
        for n in range(50)
    ]  # fmt: skip
    for device in devices:
        device.report_all([(n, HERE) for n in range(40)])
    assert all(device.flush(20) for device in devices)
    for device in devices:
        device.close()
    loop.close()
    assert all(gateway.numbers(device.name) == list(range(1, 41)) for device in devices)

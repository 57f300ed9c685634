"""A gate that asks: the decision in time, or the fallback and a word that says so; over a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devices.client import Answer, Device, Direction, Gate, GateKeeper
from devices.messages import ArrivalKey, Command, GateDecision, KeptPass, KeptPasses
from tests.support.brokers import Broker, nats_server, running
from tests.support.confirming import ConfirmingGateway

NAME = "SIP/G-1"
TRUCK = "苏E33D71"
AS_OF = datetime(2026, 3, 4, 12, tzinfo=UTC)
ASKED = Gate("G-1", "1", Direction.IN, plate=TRUCK, plate_confidence=0.97)


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running(nats_server(tmp_path_factory.mktemp("nats"))) as broker:
        yield broker


class Site:
    """A gate, its keeper, and the gateway that answers or doesn't."""

    def __init__(self, broker: Broker, path: Path, **keeper: Any) -> None:
        self.path, self.commands = path, 0
        self.gateway = ConfirmingGateway(broker.mqtt_port)
        self.keeper = GateKeeper(path / "passes", **({"within_s": 20} | keeper))
        self.device = Device(
            "127.0.0.1",
            broker.mqtt_port,
            name=NAME,
            password="x",
            outbox=path / "outbox",
            on_command=self.keeper.on_command,
        )
        assert self.device.wait_online(10)

    def asks(self, gate: Gate = ASKED) -> Answer:
        return self.keeper.ask(self.device, gate)

    def tells(self, command: str, args: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.commands += 1
        name = f"c-{self.device.run}-{self.commands}"
        self.gateway.command(NAME, Command(name, command, msgspec.to_builtins(args)))
        self.gateway.wait_until(lambda: self.result(name) is not None, f"the answer to {command}")
        found = self.result(name)
        assert found is not None
        return found

    def result(self, command: str) -> dict[str, Any] | None:
        results = self.gateway.facts(NAME, "result")
        return next((one for one in results if one["command"] == command), None)

    def keeps(self, *plates: str, fallback: Any = "passes", within_s: float = 0.05, older: int = 0) -> str:
        passes = [KeptPass(f"Z-{number}", plate, "in") for number, plate in enumerate(plates, start=1)]
        as_of = AS_OF - timedelta(minutes=older)
        answer = self.tells("passes", KeptPasses("YARD", as_of, within_s, fallback, passes))
        assert answer["ok"]
        return str(answer["detail"])

    def close(self) -> None:
        self.device.close()
        self.gateway.__exit__()


@pytest.fixture
def site(nats: Broker, tmp_path: Path) -> Iterator[Site]:
    made = Site(nats, tmp_path)
    yield made
    made.close()


def test_the_decision_in_time_is_done_and_answered(site: Site) -> None:
    with ThreadPoolExecutor() as lanes:
        asking = lanes.submit(site.asks)
        site.gateway.wait_until(lambda: site.gateway.facts(NAME, "gate") != [], "the report")
        told = GateDecision(ArrivalKey(site.device.run, 1), "open", [], "Z-1")
        answer = site.tells("decision", told)
        assert asking.result(10) == Answer("open", by_fallback=False, told=told, pass_number="Z-1")
    assert (answer["ok"], answer["detail"]) == (True, "open")


def test_each_lane_hears_its_own(site: Site) -> None:
    with ThreadPoolExecutor() as lanes:
        asking = [lanes.submit(site.asks, Gate("G-1", lane, Direction.IN)) for lane in ("1", "2")]
        site.gateway.wait_until(lambda: len(site.gateway.facts(NAME, "gate")) == 2, "the reports")
        by_lane = {event["lane"]: event["seq"] for event in site.gateway.facts(NAME, "gate")}
        for lane, decision in (("2", "hold"), ("1", "open")):
            site.tells("decision", GateDecision(ArrivalKey(site.device.run, by_lane[lane]), decision))
        assert [one.result(10).decision for one in asking] == ["open", "hold"]


@pytest.mark.parametrize("fallback", ["hold", "open", "inspect"])
def test_without_a_decision_the_fallback_and_the_event_says_so(
    nats: Broker, tmp_path: Path, fallback: Any
) -> None:
    site = Site(nats, tmp_path, within_s=0.05, fallback=fallback)
    assert site.asks() == Answer(fallback, by_fallback=True)
    name = f"arrival/{site.device.run}/1"
    site.gateway.wait_until(lambda: site.result(name) is not None, "the gate's word")
    found = site.result(name)
    assert found is not None
    assert (found["ok"], found["detail"]) == (True, fallback)
    site.close()


def test_kept_passes_let_through_whom_they_name_once(site: Site) -> None:
    assert site.keeps(TRUCK, "苏E1289K") == "2 passes"
    doubtful = msgspec.structs.replace(ASKED, plate_confidence=0.8)
    out = msgspec.structs.replace(ASKED, direction=Direction.OUT)
    other_paper = msgspec.structs.replace(ASKED, pass_number="Z-2")
    alike = msgspec.structs.replace(ASKED, plate="苏E33071")
    for refused in (doubtful, out, other_paper, alike, Gate("G-1", "1", Direction.IN)):
        assert site.asks(refused).decision == "hold"
    assert site.asks() == Answer("open", by_fallback=True, pass_number="Z-1")
    assert site.asks().decision == "hold"
    assert site.keeps(TRUCK) == "1 passes"  # a list that was made before the gateway heard of it
    assert site.asks().decision == "hold"


def test_kept_passes_survive_the_gate_and_older_lists_do_not_replace_them(site: Site) -> None:
    site.keeps(TRUCK)
    assert "older" in site.keeps(older=5)
    assert site.keeper.passes_as_of == AS_OF
    again = GateKeeper(site.path / "passes")
    assert again.ask(site.device, ASKED).pass_number == "Z-1"
    assert GateKeeper(site.path / "passes").ask(site.device, ASKED).decision == "hold"


def test_an_officer_s_later_word_is_handed_on(nats: Broker, tmp_path: Path) -> None:
    later: list[GateDecision] = []
    site = Site(nats, tmp_path, within_s=0.05, on_later=later.append)
    assert site.asks().decision == "hold"
    word = GateDecision(ArrivalKey(site.device.run, 1), "open")
    assert site.tells("decision", word)["ok"]
    assert later == [word]
    site.close()


def test_without_anybody_for_it_a_later_word_is_refused(site: Site) -> None:
    answer = site.tells("decision", GateDecision(ArrivalKey(1, 1), "open"))
    assert (answer["ok"], answer["detail"]) == (False, "nobody waits for this decision any more")
    assert not site.tells("reboot", {})["ok"]

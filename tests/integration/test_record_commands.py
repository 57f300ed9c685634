"""``bondwatch rejections``, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.rejections import app
from gateway.problem import Problem
from tests.support.recording import Station


@pytest.fixture
def station(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("BONDWATCH_DATABASE_DSN", database)
    station = Station(database)
    yield station
    station.close()


def typed(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, Problem):
        raise result.exception
    return result


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_list_for_people_and_for_machines(station: Station) -> None:
    assert typed("list").stdout == "no rejections\n"
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=400, received=0), truck.says(at=0, lat=91))

    for_people = typed("list").stdout
    assert "SIP/TRK-1" in for_people
    assert "future" in for_people
    [first] = lines(typed("list", "--json", "--reason", "future", "--device", "SIP/TRK-1"))
    assert (first["reason"], first["run"], first["seq"]) == ("future", 1, 1)
    assert first["received_at"] == "2026-03-04T12:00:00.000Z"


def test_one_is_shown_whole(station: Station) -> None:
    truck = station.device("TRK-1")
    message = truck.says(at=0, lat=91)
    station.deliver(message)
    [summary] = lines(typed("list", "--json"))
    number = str(summary["rejection_id"])

    [shown] = lines(typed("show", number, "--json"))
    assert shown["payload"] == message.payload.decode()
    assert shown["what_to_do"]
    assert "schema" in typed("show", number).stdout


def test_replaying_all_of_a_device(station: Station) -> None:
    truck, van = station.device("TRK-1"), station.device("VAN-1")
    station.deliver(truck.says(at=400, received=0), truck.says(at=401, received=0), van.says(at=0, lat=91))

    refused = typed("replay", "--device", "SIP/TRK-1")
    assert refused.exit_code == 1
    assert refused.stdout.count("still refused: future") == 2

    taken = typed("replay", "--device", "SIP/TRK-1", "--trust-time", "--json")
    assert taken.exit_code == 0
    assert [line["recorded"] for line in lines(taken)] == [1, 1]
    assert station.recorded(truck) == [(1, 1), (1, 2)]
    assert len(lines(typed("list", "--waiting", "--json"))) == 1


def test_what_cannot_be_meant_is_said(station: Station) -> None:
    with pytest.raises(Problem, match="say which rejections"):
        typed("replay")
    with pytest.raises(Problem, match="say which rejections"):
        typed("replay", "1", "--all")
    with pytest.raises(Problem, match="no rejection 99"):
        typed("show", "99")
    with pytest.raises(Problem, match="no reason 'futur'"):
        typed("list", "--reason", "futur")
    with pytest.raises(Problem, match="TRK-1"):
        typed("list", "--device", "TRK-1")

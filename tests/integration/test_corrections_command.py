"""``bondwatch corrections``, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.corrections import app
from gateway.problem import Problem
from tests.support.recording import Station

FIRST = "SIP/TRK-1 1/1 2026-03-04T12:00:00Z"
SECOND = "SIP/TRK-1 1/2 2026-03-04T20:00:10+08:00"
SAID = ("--why", "the antenna was wet", "--by", "desk 2")


@pytest.fixture
def station(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("BONDWATCH_DATABASE_DSN", database)
    station = Station(database)
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0), truck.says(at=10), truck.says(at=20, lat=91))
    yield station
    station.close()


def typed(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, Problem):
        raise result.exception
    assert result.exception is None, result.output
    return result


@pytest.mark.usefixtures("station")
def test_declared_listed_and_taken_back() -> None:
    assert typed("list").stdout == "no corrections\n"
    told = typed("add", FIRST, "--reason", "incorrect_data", *SAID, "--corrective", SECOND)
    assert told.stdout == f"correction 1: {FIRST} counts no longer\n"
    again = typed("add", FIRST, "--reason", "incorrect_data", *SAID, "--corrective", SECOND)
    assert again.stdout == f"correction 1: {FIRST} counts no longer, as was said before\n"
    (line,) = typed("list", "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["by"], found["stands"]) == ("desk 2 (bondwatch corrections)", True)
    assert found["corrective"] == [
        {"device": "SIP/TRK-1", "time": "2026-03-04T12:00:10Z", "run": 1, "seq": 2}
    ]
    assert "SIP/TRK-1 1/1" in typed("list", "--device", "SIP/TRK-1").stdout
    assert typed("retract", "1", "--why", "it was dry", "--by", "desk 3").stdout.startswith(
        "correction 1 is taken back: SIP/TRK-1 run 1 seq 1"
    )
    assert "it was dry" in typed("list").stdout


@pytest.mark.usefixtures("station")
def test_what_cannot_be_meant_is_said() -> None:
    good = ("--reason", "did_not_occur", *SAID)
    for name, says in (
        ("SIP/TRK-1 1/1", "names no observation"),
        ("SIP/TRK-1 1/1 yesterday", "is no time"),
        ("SIP/TRK-1 1/1 2026-03-04T12:00:00", "has no offset"),
        ("SIP/TRK-1 9999999999/1 2026-03-04T12:00:00Z", "is no number"),
        ("SIP/TRK-9 1/1 2026-03-04T12:00:00Z", 'no device "SIP/TRK-9"'),
        ("SIP/TRK-1 1/9 2026-03-04T12:00:00Z", "isn't recorded"),
        ("SIP/TRK-1 1/3 2026-03-04T12:00:20Z", "was rejected"),
    ):
        with pytest.raises(Problem, match=says):
            typed("add", name, *good)
    with pytest.raises(Problem, match="no reason 'typo'"):
        typed("add", FIRST, "--reason", "typo", *SAID)
    with pytest.raises(Problem, match="--why says nothing"):
        typed("add", FIRST, "--reason", "did_not_occur", "--why", " ", "--by", "desk 2")
    with pytest.raises(Problem, match='no correction "7"'):
        typed("retract", "7", *SAID)

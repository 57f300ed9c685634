"""``bondwatch park``: made, renamed, listed; what is no code is refused."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from gateway.commands.park import app
from gateway.problem import Problem


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BONDWATCH_DATABASE_DSN", database)

    def command(*arguments: str) -> str:
        answer = CliRunner().invoke(app, arguments)
        if answer.exception is not None and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        return answer.output

    return command


def test_a_park_is_made_renamed_and_listed(run) -> None:
    assert "no parks" in run("list")
    assert "park SIP is there" in run("add", "SIP", "--name-en", "Suzhou", "--name-zh", "苏州")
    run("add", "SIP", "--name-en", "Suzhou Industrial Park", "--name-zh", "苏州工业园区")
    (row,) = [json.loads(line) for line in run("list", "--json").splitlines()]
    assert row == {
        "code": "SIP",
        "name_en": "Suzhou Industrial Park",
        "name_zh": "苏州工业园区",
        "time_zone": "Asia/Shanghai",
    }
    assert "苏州工业园区" in run("list")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("add", "no code"), "is no code"), (("add", "SIP", "--time-zone", "Mars/Olympus"), "no time zone")],
)
def test_what_can_not_be_is_refused(run, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(Problem, match=said):
        run(*arguments)

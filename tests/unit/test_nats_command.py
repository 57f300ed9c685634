"""``bondwatch nats``: what it writes for servers of the site, and what it says when something is wrong."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.commands.nats import app
from gateway.embedded.home import Home
from gateway.problem import Problem

KEY = "U" + "A" * 55
SERVERS = ["--server", "n1:6222", "--server", "n2:6222", "--server", "n3:6222"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("BONDWATCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NATS_LEAF_KEYS", raising=False)
    return Home(tmp_path / "home")


def run(*words: str, **more: Any) -> str:
    done = CliRunner().invoke(app, list(words), **more)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_hubs_files_hold_the_secrets_of_its_home_for_their_owner_alone(
    tmp_path: Path, home: Home
) -> None:
    run("hub", str(tmp_path), *SERVERS, "--leaf", f"SIP={KEY}")
    accounts, routes = (tmp_path / "accounts.conf").read_text(), (tmp_path / "routes.conf").read_text()
    assert home.secret("nats_gateway_password") in accounts
    assert KEY in accounts
    assert "bw.v1.SIP.*.receipts" in accounts
    assert routes.count(home.secret("nats_route_password")) == 4
    assert all(server in routes for server in ("@n1:6222", "@n2:6222", "@n3:6222"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.conf")} == {0o600}


def test_leaf_nodes_come_from_the_environment_too(tmp_path: Path) -> None:
    run("hub", str(tmp_path), *SERVERS, env={"NATS_LEAF_KEYS": f"SIP={KEY} KSH={KEY}"})
    accounts = (tmp_path / "accounts.conf").read_text()
    assert "$JS.SIP.API.>" in accounts
    assert "$JS.KSH.API.>" in accounts


def test_a_park_says_its_public_key_and_keeps_the_other_half(tmp_path: Path, home: Home) -> None:
    said = run("leaf", "SIP", str(tmp_path)).strip()
    park, _, key = said.partition("=")
    seed = home.secret("nats_leaf_seed")
    assert park == "SIP"
    assert seed not in said
    assert seed in (tmp_path / "leaf-key.conf").read_text()
    assert stat.S_IMODE((tmp_path / "leaf-key.conf").stat().st_mode) == 0o600
    run("hub", str(tmp_path), *SERVERS, "--leaf", said)  # what it says is what the hub takes
    assert key in (tmp_path / "accounts.conf").read_text()
    assert run("leaf", "SIP", str(tmp_path)).strip() == said  # again: the same key


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["hub", ".", *SERVERS, "--leaf", "SIP"], "is no leaf node"),
        (["hub", ".", *SERVERS, "--leaf", "S.P=" + KEY], "is no code of a park"),
        (["hub", "/nowhere/at/all", *SERVERS], "no directory"),
        (["leaf", "a/b", "."], "is no code of a park"),
        (["join", "*"], "is no code of a park"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match=says):
        run(*words)


def test_a_broker_that_is_no_nats_has_no_parks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BONDWATCH_BROKER_URL", "mqtt://broker:1883")
    with pytest.raises(Problem, match="not NATS"):
        run("join", "SIP")

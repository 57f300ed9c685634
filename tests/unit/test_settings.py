"""Settings: where they come from, what is refused, and that their page can't rot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.commands import config
from gateway.problem import Problem
from gateway.settings import PREFIX, WEAK_SECRETS, Settings, default_home, origins

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(f"{PREFIX}HOME", str(tmp_path / "home"))


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("api_port = 9001\nworkers = 2\n")
    monkeypatch.setenv(f"{PREFIX}API_PORT", "9002")
    settings = Settings.load()
    assert (settings.api_port, settings.workers, settings.mqtt_port) == (9002, 2, 1883)
    import os

    found = origins(os.environ, home)
    assert found["api_port"] == "environment BONDWATCH_API_PORT"
    assert found["workers"] == str(home / "config.toml")
    assert found["mqtt_port"] == "default"


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}BROKER_PASSWORD", "")
    assert Settings.load().broker_password is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "65536"),
        ("WORKERS", "0"),
        ("LOG_FORMAT", "xml"),
        ("BROKER_URL", "http://broker"),
        ("BROKER_URL", "mqtt://"),
        ("DATABASE_DSN", "not a dsn"),
        ("STREAM_MAX_GIB", "-1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(Problem, match=PREFIX + name):
        Settings.load()


def test_a_setting_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("api_prot = 9001\n")
    with pytest.raises(Problem, match="API_PROT"):
        Settings.load()


@pytest.mark.parametrize("weak", sorted(WEAK_SECRETS - {""}))
def test_default_secrets_are_refused(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    monkeypatch.setenv(f"{PREFIX}BROKER_PASSWORD", weak.upper())
    with pytest.raises(Problem, match="well-known"):
        Settings.load()


@pytest.mark.parametrize(
    "dsn", ["postgresql://u:postgres@h/d", "host=h user=u password=''", "host=h password=admin"]
)
def test_default_secrets_are_refused_inside_a_dsn(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_DSN", dsn)
    with pytest.raises(Problem, match="DATABASE_DSN"):
        Settings.load()


def test_a_password_in_the_brokers_address_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}BROKER_URL", "mqtt://u:hunter22@h")
    with pytest.raises(Problem) as caught:
        Settings.load()
    assert "hunter22" not in str(caught.value)
    assert "BROKER_PASSWORD" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        (None, "jetstream"),
        ("nats://h:4222", "jetstream"),
        ("nats://a:4222,nats://b, tls://c:4333", "jetstream"),
        ("tls://h", "jetstream"),
        ("mqtt://h", "mqtt"),
        ("mqtts://h:8883", "mqtt"),
    ],
)
def test_the_source_follows_from_the_address(url: str | None, source: str) -> None:
    assert Settings.load(broker_url=url).source == source


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"broker_url": "http://h"}, "BROKER_URL: must look like mqtt://host:port"),
        ({"broker_url": "nats://a,mqtt://b"}, "BROKER_URL: must not mix"),
        ({"broker_url": "mqtt://a,mqtt://b"}, "BROKER_URL: must be one address"),
        ({"broker_url": "nats://a,nats://u:hunter22@b"}, "BROKER_URL: must not hold a password"),
        ({"downlink_url": "nats://a"}, "DOWNLINK_URL: must look like mqtt://host:port or mqtts"),
        ({"stream_replicas": 6}, "STREAM_REPLICAS"),
    ],
)
def test_addresses_that_can_be_none_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(Problem, match=says):
        Settings.load(**given)


def test_a_child_sees_exactly_what_we_see(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Settings.load(
        api_port=0, database_dsn="postgresql://u:long-secret@h/d", broker_ca_file="/ca.pem", workers=3
    )
    for name, value in ours.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == ours


def test_secrets_are_not_shown() -> None:
    settings = Settings.load(database_dsn="postgresql://u:long-secret@h/d", broker_password="longer-secret")
    assert "long" not in repr(settings)


def test_config_show_masks_and_names_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_DSN", "postgresql://u:long-secret@h/d")
    monkeypatch.setenv(f"{PREFIX}BROKER_PASSWORD", "longer-secret")
    for arguments in (["show"], ["show", "--json"]):
        result = CliRunner().invoke(config.app, arguments)
        assert result.exit_code == 0
        assert "long" not in result.output
        assert "host=h" in result.output
    found: dict[str, Any] = json.loads(result.output)
    assert set(found) == set(Settings.model_fields)
    assert found["broker_password"] == {
        "value": config.MASK,
        "origin": "environment BONDWATCH_BROKER_PASSWORD",
    }


def test_home_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home() == Path("/data/bondwatch")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/x")
    assert default_home() == Path("/home/x/.local/share/bondwatch")


def test_every_setting_has_a_unit_or_is_a_plain_thing() -> None:
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation is float]
    assert numbers
    assert all(name.endswith(("_gib", "_days", "_s")) for name in numbers)


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_the_page_says_of_each_setting_what_the_code_says(name: str) -> None:
    field = Settings.model_fields[name]
    row = re.search(rf"^\| `{PREFIX}{name.upper()}` \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
    assert row is not None, f"docs/configuration.md lacks {PREFIX}{name.upper()}"
    if field.default_factory is None:
        expected = "none" if field.default is None else f"`{field.default}`"
        assert row[1] == expected
    assert row[2] == field.description


def test_the_page_names_no_setting_that_is_gone() -> None:
    named = set(re.findall(rf"`{PREFIX}([A-Z_]+)`", PAGE)) - {"PROCESS"}
    assert {name.lower() for name in named} == set(Settings.model_fields)

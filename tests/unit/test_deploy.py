"""What deploy/ offers is whole: its files parse, name what exists, hold no secret, and refuse empty ones."""

from __future__ import annotations

import configparser
import importlib
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nkeys
import pytest
import typer
from typer.exceptions import TyperException

from gateway.access.nats_config import nats_accounts, nats_routes
from gateway.cli import COMMANDS
from gateway.doctor import mqtt
from gateway.doctor.finding import Level
from gateway.embedded.home import Home
from gateway.settings import PREFIX, Settings
from tests.cluster import tls
from tests.support import compose

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = {
    "one-server/compose.yml": "one-server/env.example",
    "many-servers/hub.yml": "many-servers/env.example",
    "many-servers/park.yml": "many-servers/env.example",
}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXAMPLES = sorted(DEPLOY.rglob("*env.example"))
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
BALANCED = {"one": "one-server/compose.yml", "hub": "many-servers/hub.yml", "park": "many-servers/park.yml"}
OURS = {"NATS_LEAF_KEYS", "PARK"} | {
    f"NATS_{name}"
    for name in ["NAME", "LISTEN", "MONITOR", "MQTT", "CLUSTER", "LEAVES", "STORE", "DISK", "HUB", "HUB_CA"]
}
"""Variables of containers of ours that are no settings of Bondwatch."""


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose.read(DEPLOY / name)["services"]
    return found


def relative(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


@pytest.mark.parametrize("name", COMPOSE)
def test_every_variable_is_in_the_example_and_none_has_a_default(name: str) -> None:
    text = (DEPLOY / name).read_text()
    example = (DEPLOY / COMPOSE[name]).read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert used <= set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    lenient = {variable for variable in used if f"${{{variable}:?see env.example}}" not in text}
    assert lenient <= {"NATS_LEAF_KEYS"}, "no parks yet is the only thing that may be left empty"


def test_no_example_names_what_nobody_uses() -> None:
    for folder in ("one-server", "many-servers"):
        named = set(re.findall(r"^(\w+)=", (DEPLOY / folder / "env.example").read_text(), re.MULTILINE))
        used = {
            variable
            for path in (DEPLOY / folder).glob("*.yml")
            for variable in re.findall(r"\$\{(\w+)", path.read_text())
        }
        assert named == used


@pytest.mark.parametrize("path", EXAMPLES, ids=relative)
def test_examples_hold_no_values_and_say_how_to_make_them(path: Path) -> None:
    lines = path.read_text().splitlines()
    assignments = [line for line in lines if re.match(r"\w+=", line)]
    assert assignments
    assert [line for line in assignments if not line.endswith("=")] == []
    for before, line in pairwise(lines):
        if "PASSWORD=" in line and not line.startswith("#"):
            assert "openssl rand" in before


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_file_holds_a_secret(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"-----BEGIN|\bS[UA][A-Z2-7]{56}\b|\bbwk_|://[^/\s:]+:(?!…|\$)[^@\s/]+@", text)
    given = re.findall(r"(?i)^[ \t]*\w*(?:password|secret)\w*[ \t]*[:=][ \t]*(\S+)", text, re.MULTILINE)
    assert [value for value in given if not value.startswith(("$", '"${'))] == []


@pytest.mark.parametrize("name", COMPOSE)
def test_images_are_names_without_a_registry(name: str) -> None:
    for image in (service["image"] for service in services(name).values()):
        first = image.split("/")[0]
        assert "/" not in image or not ("." in first or ":" in first), image
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("FROM "):
            assert re.fullmatch(r"FROM [a-z]+:[\w.-]+", line)


@pytest.mark.parametrize("name", COMPOSE)
def test_services_run_commands_that_exist_with_settings_that_exist(name: str) -> None:
    for service in services(name).values():
        environment = service.get("environment") or {}
        if service["image"] == "bondwatch":
            settings = {
                variable.removeprefix(PREFIX).lower() for variable in environment if PREFIX in variable
            }
            assert settings <= set(Settings.model_fields)
            assert {variable for variable in environment if PREFIX not in variable} <= OURS
            for line in commands_of(service):
                accepts(line)


@pytest.mark.parametrize("name", COMPOSE)
def test_what_services_mount_and_wait_for_exists(name: str) -> None:
    document = compose.read(DEPLOY / name)
    for service in document["services"].values():
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{[^}]*\}", "", volume).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / name).parent.joinpath(source).is_file(), source
            elif source:
                assert source in document["volumes"]
        needed = service.get("depends_on") or ()
        assert set(needed) <= set(document["services"])
        if "build" in service:
            assert (DEPLOY / name).parent.joinpath(service["build"]["context"]).resolve() == ROOT
            assert (ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", COMPOSE)
def test_whoever_holds_secrets_publishes_no_port(name: str) -> None:
    published = {who for who, service in services(name).items() if "ports" in service}
    assert published == {"balancer"}


@pytest.mark.parametrize("which", BALANCED)
def test_balancers_send_to_services_that_are_there(which: str) -> None:
    text = (DEPLOY / "balancer" / f"{which}.cfg").read_text()
    targets = re.findall(r"^\s+server \S+ ([\w-]+):(\d+)", text, re.MULTILINE)
    assert targets
    assert {host for host, _ in targets} <= set(services(BALANCED[which]))
    assert {port for _, port in targets} <= {"1883", "7422", "8480"}
    listening = set(re.findall(r"bind :(\d+) ssl", text))
    assert len(listening) == text.count("bind "), "every listener speaks TLS"
    published = {port.split(":")[1] for port in services(BALANCED[which])["balancer"]["ports"]}
    assert published == listening


def test_the_image_copies_what_exists_and_the_builder_sees_nothing_else() -> None:
    copied = {
        name
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for name in line.split()[1:-1]
    }
    assert [name for name in copied if not (ROOT / name).exists()] == []
    seen = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in seen
    assert {line[1:] for line in seen if line.startswith("!")} == copied


@pytest.mark.parametrize("unit", UNITS, ids=relative)
def test_units_run_commands_that_exist_as_nobody_special(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    service = parser["Service"]
    assert service["User"] == "bondwatch"
    assert service["Restart"] == "always"
    assert (DEPLOY / "systemd" / f"{Path(service['EnvironmentFile']).name}.example").is_file()
    program, _, arguments = service["ExecStart"].partition(" ")
    if Path(program).name == "bondwatch":
        accepts(arguments.replace("%i", "SIP"))
    else:
        assert Path(program).name == "nats-server"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to ask")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    for unit in UNITS:
        text = unit.read_text().replace("/opt/bondwatch/.venv/bin", str(programs))
        (tmp_path / unit.name).write_text(text)
    verify = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    said = subprocess.run(verify, capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "bondwatch" in line]
    assert ours == []


def test_environment_files_of_the_units_name_settings() -> None:
    named = re.findall(r"^(\w+)=", (DEPLOY / "systemd" / "bondwatch.env.example").read_text(), re.MULTILINE)
    assert {name.removeprefix(PREFIX).lower() for name in named} <= set(Settings.model_fields)
    variables = set(
        re.findall(r"^(\w+)=", (DEPLOY / "systemd" / "nats.env.example").read_text(), re.MULTILINE)
    )
    wanted = {
        name
        for template in ("hub.conf", "leaf.conf")
        for name in re.findall(r": \$(\w+)", (DEPLOY / "nats" / template).read_text())
    }
    assert wanted == variables | {"NATS_STORE"}, "the unit itself sets NATS_STORE"


@pytest.mark.parametrize("template", ["hub.conf", "leaf.conf"])
def test_the_server_takes_its_configuration_and_nothing_is_missing(template: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    text = (DEPLOY / "nats" / template).read_text()
    (tmp_path / template).write_text(text)
    seed = home.secret("nats_leaf_seed")
    public = nkeys.from_seed(seed.encode()).public_key.decode()
    (tmp_path / "accounts.conf").write_text(nats_accounts(home.secret, {"SIP": public}))
    (tmp_path / "routes.conf").write_text(nats_routes(home.secret("nats_route_password"), ["n1:1", "n2:2"]))
    (tmp_path / "leaf-key.conf").write_text(f'nkey: "{seed}"\n')
    variables = dict.fromkeys(re.findall(r": \$(NATS_\w+)", text), "127.0.0.1:1")
    variables |= {
        "NATS_NAME": "SIP",
        "NATS_STORE": str(tmp_path),
        "NATS_DISK": "1GB",
        "NATS_HUB": '["tls://hub:7422"]',
        "NATS_HUB_CA": str(tls.make(tmp_path)[1]),
    }
    told = set(re.findall(r"^#   (NATS_\w+)", text, re.MULTILINE))
    assert told == {name for name in variables if f"${name}" in text}, "the head says what each variable is"
    check = [str(Path(sys.executable).parent / "nats-server"), "--config", str(tmp_path / template), "-t"]
    done = subprocess.run(check, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    del variables["NATS_NAME"]
    done = subprocess.run(check, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0, "a variable that is missing is an error"


def test_the_doctor_finds_nothing_in_mosquittos_configuration() -> None:
    findings = list(mqtt.mosquitto(DEPLOY / "mosquitto" / "mosquitto.conf"))
    assert [finding for finding in findings if finding.level is not Level.FINE] == []


def test_every_line_for_a_broker_has_its_reason() -> None:
    lines = (DEPLOY / "emqx" / "base.hocon").read_text().splitlines()
    entries = [number for number, line in enumerate(lines) if re.match(r"  \w+ = ", line)]
    assert entries
    for number in entries:
        assert lines[number - 1].lstrip().startswith(("#", "sources", "deny_action")) or (
            re.match(r"  \w+ = ", lines[number - 1])
        ), lines[number]
    blocks = re.split(r"\n\n", (DEPLOY / "mosquitto" / "mosquitto.conf").read_text())
    assert [block for block in blocks if not block.lstrip().startswith("#")] == []


def commands_of(service: dict[str, Any]) -> list[str]:
    """What follows ``bondwatch`` on the command lines of a service."""
    if service.get("entrypoint") == ["sh", "-c"]:
        found = re.findall(r"exec bondwatch (.*)", service["command"][0])
        assert found
        return [line.replace("$$PARK", "SIP") for line in found]
    if service.get("entrypoint"):
        assert service["entrypoint"][0] == "nats-server"
        return []
    return [re.sub(r"\$\{PARK[^}]*\}", "SIP", service["command"])]


def accepts(line: str) -> None:
    """The command line is understood as far as it goes: no unknown command, option or missing argument."""
    name, *rest = line.split()
    assert name in COMMANDS
    command: Any = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
    while hasattr(command, "commands"):
        assert rest[0] in command.commands
        command, *rest = command.commands[rest[0]], *rest[1:]
    command.make_context(name, rest)


@pytest.mark.parametrize(
    "line",
    ["acces --park SIP", "access", "nats hubb DIR", "nats hub DIR", "nats hub DIR --servers n1:1", "up now"],
)
def test_a_wrong_command_line_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, TyperException)):
        accepts(line)

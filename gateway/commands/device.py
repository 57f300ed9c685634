"""``bondwatch device``: register devices, give, replace and revoke their credentials, tell Mosquitto."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from devices.observation import Datum
from devices.topics import device_name
from gateway.access import mosquitto
from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import access, credentials, reading, registry
from tracking.store.database import Connection, connect

_PAGE: Final = 1000

app = typer.Typer(no_args_is_help=True, help="Register devices, give and revoke credentials.")

Name = Annotated[str, typer.Argument(help="Park and device code, for instance SIP/TRK-001.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines, one object a line.")]


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="The device's code in its park: letters, digits, - and _.")],
    park: Annotated[str, typer.Option(help="Code of the park.")],
    kind: Annotated[str, typer.Option(help="tracker, scanner, sensor, seal, gate ...")] = "tracker",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    every: Annotated[int, typer.Option(min=1, help="Seconds between its reports; longer is silence.")] = 60,
    datum: Annotated[
        Datum, typer.Option(help="Of its coordinates, where an event doesn't say.")
    ] = Datum.WGS84,
    as_json: Json = False,
) -> None:
    """Register a device. Its secret is shown this once; only hashes of it are kept."""
    try:
        full_name = device_name(park, code)
    except ValueError as error:
        raise Problem(str(error)) from None
    now = datetime.now(UTC)
    with _connect() as conn, conn.transaction():
        try:
            device_id = registry.add_device(
                conn,
                park=park,
                code=code,
                kind=kind,
                name=name,
                datum=datum.value,
                expected_every_s=every,
                registered_at=now,
            )
        except registry.Unknown:
            known = ", ".join(row["code"] for row in registry.parks(conn)) or "none yet"
            advice = f"there are: {known}; make one with bondwatch park add {park}"
            raise Problem(f'no park "{park}"', advice) from None
        if device_id is None:
            raise Problem(
                f"{full_name} is registered already", "bondwatch device rotate gives it a new secret"
            )
        secret = credentials.issue(conn, device_id, now)
    _show_secret(full_name, secret, as_json)


@app.command()
def rotate(name: Name, as_json: Json = False) -> None:
    """Give a device a new secret. The old one no longer holds; a connection made with it is ended."""
    with _connect() as conn, conn.transaction():
        row = _device(conn, name)
        if row["revoked_at"] is not None:
            raise Problem(f"{name} was revoked", "register it under another code")
        registry.lock_reference(conn)
        secret = credentials.issue(conn, row["device_id"], datetime.now(UTC))
    _show_secret(name, secret, as_json)


@app.command()
def revoke(name: Name) -> None:
    """Take a device's right to speak, for ever. What it said stays."""
    with _connect() as conn, conn.transaction():
        row = _device(conn, name)
        if not registry.revoke_device(conn, row["device_id"], datetime.now(UTC)):
            raise Problem(f"{name} was revoked at {_iso(row['revoked_at'])}")
    typer.echo(f"{name} is revoked")


@app.command("list")
def list_(
    park: Annotated[str | None, typer.Option(help="Only of this park.")] = None, as_json: Json = False
) -> None:
    """Show the registered devices."""
    with _connect() as conn:
        rows = _all(conn, park)
    if as_json:
        for row in rows:
            shown = {"device": f"{row['park']}/{row['code']}"} | {
                k: v for k, v in row.items() if k != "device_id"
            }
            typer.echo(json.dumps(shown, default=_iso, ensure_ascii=False))
    elif rows:
        Console().print(_table(rows))
    else:
        typer.echo("no devices; register one with bondwatch device add CODE --park PARK")


@app.command()
def sync(
    mosquitto_dir: Annotated[Path, typer.Option(help="Where mosquitto.conf expects `passwords` and `acl`.")],
    pid_file: Annotated[
        Path | None, typer.Option(help="Mosquitto's pid file: it is told to read them when they changed.")
    ] = None,
) -> None:
    """Write Mosquitto's password and ACL files from the registry. Run it after every change, or by a
    timer."""
    settings = Settings.load()
    with _connect(settings) as conn:
        logins = access.logins(conn, credentials.MOSQUITTO)
    password = settings.broker_password
    service_hash = (
        None
        if password is None
        else _service_hash(mosquitto_dir, settings.broker_user, password.get_secret_value())
    )
    try:
        changed = mosquitto.write(mosquitto.render(logins, settings.broker_user, service_hash), mosquitto_dir)
    except OSError as error:
        raise Problem(f"{mosquitto_dir} can't be written: {error.strerror}") from None
    if changed and pid_file is not None:
        _hang_up(pid_file)
    typer.echo(f"{len(logins)} devices {'written' if changed else 'unchanged'}")
    if password is None:
        typer.echo("without the user of our own processes: BONDWATCH_BROKER_PASSWORD is not set", err=True)


def _service_hash(directory: Path, user: str, password: str) -> str:
    """The hash that stands there while it is of this password: a new salt would be a change every time."""
    try:
        lines = (directory / mosquitto.USERS_FILE).read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, hashed = line.rpartition(":")
        if name == user and credentials.matches_mosquitto(password, hashed):
            return hashed
    return credentials.hash_mosquitto(password)


def _hang_up(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise Problem(f"Mosquitto can't be told to read its files: {error}", f"see {pid_file}") from None


def _show_secret(name: str, secret: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"name": name, "secret": secret}))
        return
    typer.echo(f"MQTT user name and client id  {name}")
    typer.echo(f"MQTT password                 {secret}")
    typer.echo("The password is shown this once. It is kept only as a hash.")


def _device(conn: Connection, name: str) -> dict[str, Any]:
    try:
        return registry.device(conn, name)
    except registry.Unknown:
        raise Problem(f'no device "{name}"', "see bondwatch device list") from None


def _all(conn: Connection, park: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = reading.devices(conn, park=park, after=rows[-1]["device_id"] if rows else None, limit=_PAGE)
        rows += page
        if len(page) < _PAGE:
            return rows


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("device", "kind", "name", "every", "datum", "last heard", "state"):
        table.add_column(name, no_wrap=name not in {"name", "state"}, overflow="fold")
    for row in rows:
        heard = "never" if row["last_seen"] is None else _iso(row["last_seen"])
        state = "active" if row["revoked_at"] is None else f"revoked {_iso(row['revoked_at'])}"
        every = f"{row['expected_every_s']} s"
        table.add_row(
            f"{row['park']}/{row['code']}", row["kind"], row["name"], every, row["datum"], heard, state
        )
    return table


def _connect(settings: Settings | None = None) -> Connection:
    return connect(addresses.database_dsn(settings or Settings.load()), application="bondwatch-device")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

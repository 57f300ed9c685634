"""``bondwatch park``: the parks that share this installation (one zone, many parks)."""

from __future__ import annotations

import json
import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table

from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import registry
from tracking.store.database import Connection, connect

app = typer.Typer(no_args_is_help=True, help="Make and list parks.")


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="Its code in topics and addresses, for instance SIP.")],
    name_en: Annotated[str, typer.Option(help="Its name in English.")] = "",
    name_zh: Annotated[str, typer.Option(help="Its name in Chinese.")] = "",
    time_zone: Annotated[str, typer.Option(help="Its time zone, for people.")] = "Asia/Shanghai",
) -> None:
    """Make a park, or rename it."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", code):
        raise Problem(f'"{code}" is no code', "1 to 64 letters, digits, - and _")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Problem(f'no time zone "{time_zone}"', "it looks like Asia/Shanghai") from None
    with _connect() as conn:
        registry.put_park(conn, code, name_en=name_en, name_zh=name_zh, time_zone=time_zone)
    typer.echo(f"park {code} is there; register devices with bondwatch device add CODE --park {code}")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines, one object a line.")] = False,
) -> None:
    """Show the parks."""
    with _connect() as conn:
        rows = registry.parks(conn)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    elif rows:
        table = Table("park", "name", "名称", "time zone")
        for row in rows:
            table.add_row(row["code"], row["name_en"], row["name_zh"], row["time_zone"])
        Console().print(table)
    else:
        typer.echo("no parks; make one with bondwatch park add CODE")


def _connect() -> Connection:
    return connect(addresses.database_dsn(Settings.load()), application="bondwatch-park")

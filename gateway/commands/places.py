"""``bondwatch zones`` and ``bondwatch corridors``: the places that terms may name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import reading, registry
from tracking.store.database import Connection, connect

Park = Annotated[str | None, typer.Option(help="Only of this park.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines, one object a line.")]


def application(what: str, *, corridors: bool) -> typer.Typer:
    """The commands of one sort of place.

    Args:
        what: ``zones`` or ``corridors``.
        corridors: lines with a tolerance, or areas.
    """
    app = typer.Typer(no_args_is_help=True, help=f"Show the {what}.")

    @app.callback()
    def group() -> None:
        """A group, although it has one command yet."""

    @app.command("list")
    def list_(park: Park = None, as_json: Json = False) -> None:
        """Show what is in force now."""
        dsn = addresses.database_dsn(Settings.load())
        with connect(dsn, application=f"bondwatch-{what}") as conn:
            if park is not None:
                known_park(conn, park)
            rows = reading.areas(conn, at=datetime.now(UTC), park=park, corridors=corridors)
        if as_json:
            for row in rows:
                typer.echo(json.dumps(_shown(row), ensure_ascii=False))
        elif rows:
            Console().print(_table(rows, corridors=corridors))
        else:
            of_park = f" in park {park}" if park is not None else ""
            typer.echo(f"no {what}{of_park}; draw them with POST /v1/{what}")

    return app


def known_park(conn: Connection, code: str) -> None:
    """Make sure that there is such a park.

    Raises:
        Problem: there is none; it names those that there are.
    """
    known = [row["code"] for row in registry.parks(conn)]
    if code not in known:
        there_are = ", ".join(known) or "none yet: PUT /v1/parks/{code}"
        raise Problem(f'no park "{code}"', f"there are: {there_are}")


def _shown(row: reading.Row) -> dict[str, object]:
    names = {name: row["properties"].get(name) for name in ("name_zh", "name_en", "parent")}
    return {name: row[name] for name in ("code", "kind", "park", "revision", "tolerance_m")} | names


def _table(rows: list[reading.Row], *, corridors: bool) -> Table:
    last = "tolerance" if corridors else "within"
    table = Table("code", "kind", "park", "revision", "name", last, box=None, pad_edge=False)
    for row in rows:
        properties = row["properties"]
        tolerance = "" if row["tolerance_m"] is None else f"{row['tolerance_m']:g} m"
        table.add_row(
            row["code"],
            row["kind"],
            row["park"],
            str(row["revision"]),
            properties.get("name_zh") or properties.get("name_en") or "",
            tolerance if corridors else properties.get("parent") or "",
        )
    return table

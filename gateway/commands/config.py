"""``bondwatch config``: the settings, and where each comes from."""

import json
import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from gateway.embedded.addresses import database_dsn
from gateway.problem import Problem
from gateway.settings import PREFIX, Settings, origins

app = typer.Typer(no_args_is_help=True, help="Show the settings and where each comes from.")

MASK = "******"
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


@app.callback()
def group() -> None:
    """Show the settings and where each comes from."""


@app.command()
def show(as_json: AsJson = False) -> None:
    """Every setting with its value and its origin. Secrets are masked."""
    settings = Settings.load()
    found: dict[str, dict[str, Any]] = {
        name: {"value": shown(name, getattr(settings, name)), "origin": origin}
        for name, origin in origins(os.environ, settings.home).items()
    }
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    rows = [(f"BONDWATCH_{name.upper()}", text(one["value"]), one["origin"]) for name, one in found.items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        line = f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}"
        typer.secho(line, fg=None if origin == "default" else "green")
    for name in unknown(os.environ):
        near = get_close_matches(name, [row[0] for row in rows], n=1)
        typer.secho(
            f"{name} is no setting{f'; did you mean {near[0]}?' if near else ''}", fg="yellow", err=True
        )
    typer.echo("\nWhat each one means: docs/configuration.md")


@app.command()
def dsn() -> None:
    """The embedded database's connection string, for psql and pg_dump. It names a file with the password."""
    settings = Settings.load()
    if settings.database_dsn is not None:
        raise Problem("the database is an external one", "its connection string is in BONDWATCH_DATABASE_DSN")
    typer.echo(database_dsn(settings))


def shown(name: str, value: object) -> str | int | float | None:
    """A value as it may be seen: a connection string without its password, a secret not at all."""
    if name == "database_dsn" and isinstance(value, SecretStr):
        parts = conninfo_to_dict(value.get_secret_value())
        if "password" in parts:
            parts["password"] = MASK
        return make_conninfo("", **{part: str(content) for part, content in parts.items()})
    if isinstance(value, SecretStr):
        return MASK
    return value if value is None or isinstance(value, (int, float)) else str(value)


def unknown(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that no setting has: a misspelt one would go unnoticed."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def text(value: str | int | float | None) -> str:
    """A value in the table."""
    return "-" if value is None else str(value)

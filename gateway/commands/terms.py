"""``bondwatch terms``: terms of custody from templates, and what is wrong with those in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.commands.places import known_park
from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.domain.custody.checks import Place, check
from tracking.domain.custody.faults import Fault, nearest
from tracking.domain.custody.templates import Template, TemplateError, fill
from tracking.domain.custody.terms import Terms, TermsError, parse
from tracking.store import terms as store
from tracking.store.database import connect
from tracking.store.templates import templates

_COMMAND: Final = "bondwatch terms template"
_LISTS: Final = {"zone": "bondwatch zones list", "corridor": "bondwatch corridors list"}

app = typer.Typer(no_args_is_help=True, help="Write and check terms of custody.")

Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


@app.command()
def template(
    name: Annotated[str | None, typer.Argument(help="Which one; without it, all are listed.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Fill in a parameter; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print terms of a usual regime, ready for `terms validate` and for the API."""
    known = templates()
    if name is None:
        _list(list(known.values()), as_json)
        return
    chosen = known.get(name)
    if chosen is None:
        meant = nearest(name, known)
        raise Problem(f'no template "{name}"', f'did you mean "{meant}"?' if meant else f"see {_COMMAND}")
    given = dict(_pair(text) for text in values or ())
    try:
        filled = fill(chosen, given)
        parse(filled)
    except TemplateError as error:
        raise Problem(str(error), f"see {_COMMAND} --json") from None
    except TermsError as error:
        raise Problem(f"{error.pointer}: {error.detail}", "change what --set gives there") from None
    typer.echo(json.dumps(filled, ensure_ascii=False, indent=2))
    examples = [
        f"{key}={one.example}"
        for key, one in chosen.parameters.items()
        if key not in given and one.example is not None
    ]
    if examples:
        typer.echo(f"examples stand for: {'  '.join(examples)}   (--set KEY=VALUE)", err=True)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="Terms as JSON; - is standard input.")],
    park: Annotated[str | None, typer.Option(help="Look its zones and corridors up in the database.")] = None,
    as_json: Json = False,
) -> None:
    """Say everything that is wrong with terms. Exit code 1 when they would be refused."""
    found = _faults(_text(file), park)
    errors = [fault for fault in found if fault.level == "error"]
    if as_json:
        shown = [
            {"pointer": one.pointer, "level": one.level, "detail": one.what, "meant": one.meant}
            for one in found
        ]
        typer.echo(json.dumps({"ok": not errors, "problems": shown}, ensure_ascii=False))
    else:
        for fault in found:
            typer.echo(f"{fault.level}: {_lines(file, fault, park)}", err=True)
        if not errors:
            unseen = "" if park is not None else "; zones and corridors were not looked up (--park)"
            typer.echo(f"{file}: these terms can be used{unseen}")
    if errors:
        raise typer.Exit(1)


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Problem(f"{file} can't be read: {reason}") from None


def _faults(text: str, park: str | None) -> list[Fault]:
    try:
        terms: Terms = parse(text)
    except TermsError as error:
        return list(error.faults)
    return check(terms, None if park is None else _places(park), park=park)


def _places(park: str) -> dict[str, Place]:
    dsn = addresses.database_dsn(Settings.load())
    with connect(dsn, application="bondwatch-terms") as conn:
        known_park(conn, park)
        return store.places(conn)


def _lines(file: Path, fault: Fault, park: str | None) -> str:
    """A problem for a person: what, where, and what to do."""
    hints = []
    if fault.meant is not None:
        hints.append(f'did you mean "{fault.meant}"?')
    if fault.about is not None:
        hints.append(_LISTS[fault.about] + (f" --park {park}" if park is not None else ""))
    line = f"{file}: {fault.pointer or '/'}: {fault.what}"
    return line if not hints else f"{line}\n       {'  '.join(hints)}"


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Problem(f'--set takes KEY=VALUE, not "{text}"')
    return key.strip(), value


def _list(found: list[Template], as_json: bool) -> None:
    if as_json:
        shown = [
            {
                "name": one.name,
                "zh": one.zh,
                "en": one.en,
                "about": " ".join(one.about.split()),
                "parameters": {
                    key: {"kind": p.kind, "zh": p.zh, "en": p.en, "example": p.example}
                    for key, p in one.parameters.items()
                },
            }
            for one in found
        ]
        typer.echo(json.dumps({"templates": shown}, ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one.name}\n    {one.zh}  {one.en}\n    --set {' '.join(one.parameters)}")

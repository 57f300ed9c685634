"""What came of a run, for people: tables and lines on a console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Column, Table

from gateway.simulate.running import Report
from simulators import library
from simulators.reality.score import Rule, figures


def listed(entries: Iterable[library.Entry]) -> Table:
    """What there is to play."""
    table = Table("scenario", "kind", "what it tells", "variants", box=None)
    for entry in entries:
        table.add_row(entry.name, entry.kind, entry.title, ", ".join(entry.variants))
    return table


def tell(console: Console, report: Report) -> None:
    """The scores, how each ended, and what was wrong.

    Args:
        console: for people.
        report: of the run.
    """
    if report.scored:
        console.print(_scores(report.scored))
    for name, is_as_told in report.played.items():
        word = {None: "played", True: "[green]as told[/]", False: "[red]NOT as told[/]"}[is_as_told]
        console.print(f"{name}: {word}")
    for code, rule in report.scored.items():
        if rule.unheard:
            console.print(f"  {code}: {rule.unheard} of a time that wasn't heard in full by the end")
        for one in rule.still_open:
            console.print(f"  still open {one}", markup=False, highlight=False)
    for one in report.missing:
        console.print(f"  missing {one}", markup=False, highlight=False)
    for one in report.unexpected:
        console.print(f"  unexpected {one}", markup=False, highlight=False)
    console.print(f"{report.published} events in {report.wall_s:g} s")


def _scores(scored: Mapping[str, Rule]) -> Table:
    counted, timed = ("found", "missed", "false", "precision", "recall"), ("delay p50", "p95")
    table = Table(Column("rule", no_wrap=True), *counted, *timed, "borderline", "taken back", box=None)
    for code, told in figures(scored).items():
        shares = [_shown(told[name], ".3f") for name in ("precision", "recall")]
        delays = [_shown(told[f"delay_{part}_s"], ".0f", " s") for part in ("p50", "p95")]
        counts = [str(told[name]) for name in ("found", "missed", "false")]
        borderline = f"{told['borderline']}/{told['unsure']}"
        table.add_row(code, *counts, *shares, *delays, borderline, str(told["withdrawn"]))
    return table


def _shown(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"

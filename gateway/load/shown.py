"""What a person sees of a load: how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from simulators.load_figures import Figures, Recorded, Timeline, percentiles_ms
from simulators.load_run import Wanted


class Progress:
    """What is known so far, drawn anew each second; a line every ten where nobody watches."""

    def __init__(self, wanted: Wanted, console: Console) -> None:
        self._wanted, self._console = wanted, console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._said = -1

    def __enter__(self) -> Callable[[Timeline], None]:
        if self._console.is_terminal:
            self._live.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _tell(self, timeline: Timeline) -> None:
        second = max(timeline.seconds)
        if self._console.is_terminal:
            self._live.update(_now(self._wanted, timeline, second), refresh=True)
        elif second // 10 > self._said:
            self._said = second // 10
            counts = timeline.counts
            self._console.print(
                f"{second:4} s  sent {counts['sent']:,}  durable {counts['durable']:,}"
                f"  committed {counts['committed']:,}"
            )


def _now(wanted: Wanted, timeline: Timeline, second: int) -> Table:
    table = Table(
        title=f"{wanted.profile.value}, {wanted.rate:,.0f}/s: {min(second + 1, round(wanted.for_s))}"
        f" of {wanted.for_s:g} s",
        title_justify="left",
    )
    for head in ("", "events", "a second", "p50 ms", "p99 ms", "max ms"):
        table.add_column(head, justify="right")
    shown = timeline.seconds.get(second - 1, timeline.seconds[second])
    for name in ("sent", "durable", "committed"):
        found = percentiles_ms(timeline.latencies[name]) if name in timeline.latencies else None
        table.add_row(
            name,
            f"{timeline.counts[name]:,}",
            f"{shown.counts[name]:,}",
            *([f"{found[key]:,.1f}" for key in ("p50", "p99", "max")] if found else ["", "", ""]),
        )
    return table


def told(check: Recorded) -> str:
    """What the database says, in words."""
    found = f"lost {check.lost:,}, doubled {check.doubled:,}, rejected {check.rejected:,}"
    return found + (f", unaccounted {check.unaccounted:,}" if check.unaccounted else "")


def table(figures: Figures) -> Table:
    """The figures of a run, or of the best step of the search for the limit."""
    shown = Table(title=f"Load: {figures.profile}", show_header=False, title_justify="left")
    shown.add_row("events sent, a second", f"{figures.events:,}, {figures.sent_per_s:,.0f}")
    shown.add_row("durable a second", f"{figures.durable_per_s:,.0f}")
    if not figures.bare:
        shown.add_row("committed a second", f"{figures.committed_per_s:,.0f}")
    shown.add_row("backlog at the end", f"{figures.backlog:,}")
    for name, text in (("durable", "durable"), ("committed", "committed"), ("alert", "alert")):
        if found := figures.latency_ms[name]:
            line = "  ".join(f"{at} {value:,.1f}" for at, value in found.items())
            shown.add_row(f"publish → {text}, ms", line)
    if figures.alerts_expected:
        shown.add_row("alerts heard", f"{figures.alerts_heard} of {figures.alerts_expected}")
    if figures.checked is not None:
        style = "green" if figures.checked.is_whole else "red"
        where = "by the database" if figures.limit is None else "by the database, all rates"
        shown.add_row(where, f"[{style}]{told(figures.checked)}[/]")
    elif figures.unanswered:
        shown.add_row("without an answer", f"[red]{figures.unanswered:,}[/]")
    if figures.limit is not None:
        broke, why = figures.limit["broke_at"], figures.limit["why"]
        held = f"{figures.limit['rate']:,.0f} events/s" if figures.limit["rate"] else "no rate held"
        shown.add_row("limit", held + (f", {why} at {broke:,.0f}" if broke else " or more"))
    if figures.generator_is_late:
        shown.add_row(
            "[yellow]beware[/]", "the generator was late itself: more --processes, or another machine"
        )
    return shown

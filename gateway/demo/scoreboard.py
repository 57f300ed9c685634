"""What the demo shows while it runs: a small table on a terminal, a line now and then elsewhere."""

import time
from collections import deque
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tracking.store import figures
from tracking.store.database import Connection

LINE_EVERY_S: Final = 10.0
RATE_OVER_S: Final = 5.0
SEVERITIES: Final = {
    "critical": "▲ bold #D55E00",
    "major": "◆ #E69F00",
    "minor": "● #0072B2",
    "info": "○ dim",
}


class Scoreboard:
    """Reads the record and shows it. A database that is away for a moment leaves the last figures standing.

    Args:
        since: where the counting begins.
        page: URL of the page.
        quiet: show nothing.
    """

    def __init__(self, since: figures.Mark, page: str, *, quiet: bool) -> None:
        self._since = since
        self._page = page
        self._console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=False)
            if self._console.is_terminal and not quiet
            else None
        )
        self._counts: deque[tuple[float, int]] = deque()
        self._line_at = 0.0

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last table standing."""
        if self._live:
            self._live.stop()

    def show(self, conn: Connection) -> None:
        """Read and show."""
        if self._quiet:
            return
        quick = figures.quick(conn, self._since)
        alerts = figures.alerts(conn, self._since)
        rate = self._rate(quick.recorded)
        if self._live:
            newest = figures.newest_alerts(conn, self._since, 5)
            self._live.update(self._table(quick, rate, alerts, newest), refresh=True)
        elif time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_EVERY_S
            raised = ", ".join(f"{rule} {count}" for rule, count in alerts.items()) or "none"
            counts = f"recorded {quick.recorded} ({rate:.0f}/s)  shipments {quick.open_shipments}"
            self._console.print(f"{counts}  alerts: {raised}", soft_wrap=True)

    def _rate(self, recorded: int) -> float:
        """Recorded events a second over the last few seconds."""
        now = time.monotonic()
        self._counts.append((now, recorded))
        while now - self._counts[0][0] > RATE_OVER_S and len(self._counts) > 1:
            self._counts.popleft()
        begin, first = self._counts[0]
        return (recorded - first) / (now - begin) if now > begin else 0.0

    def _table(
        self, quick: figures.Quick, rate: float, alerts: dict[str, int], newest: list[figures.NewAlert]
    ) -> Group:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim")
        table.add_column(justify="right")
        table.add_row("recorded", f"{quick.recorded:,}")
        table.add_row("per second", f"{rate:,.0f}")
        table.add_row("rejected", f"{quick.rejected:,}")
        table.add_row("devices", f"{quick.devices:,}")
        table.add_row("shipments", f"{quick.open_shipments:,}")
        for rule, count in alerts.items():
            table.add_row(f"alert {rule}", f"{count:,}")
        lines = []
        for alert in newest:
            sign, _, style = SEVERITIES.get(alert.severity, "○ dim").partition(" ")
            text = f"{sign} {alert.opened_at.astimezone():%H:%M:%S}  {alert.rule}  {alert.shipment}"
            lines.append(Text(text, style=style))
        return Group(table, *lines, Text(f"{self._page}   Ctrl-C ends the demo", style="dim"))

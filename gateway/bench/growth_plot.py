"""The plot of ``bondwatch bench growth``: two bars a dimension, and the ratio. Pure."""

from __future__ import annotations

from typing import Final

from gateway.bench.growth import GrowthReport

WIDTH: Final = 720
ROW: Final = 74
LEFT, RIGHT, TOP = 130, 90, 44
GOAL: Final = 1.2
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1d2a2f}.soft{fill:#66757b;font-size:12px}"
    ".few{fill:#9aa7ad}.many{fill:#0f8a5f}.over{fill:#c0392b}"
    "@media(prefers-color-scheme:dark){text{fill:#e4ebe8}.soft{fill:#92a2a8}.few{fill:#6d7c83}.many{fill:#3ecf9a}}"
)


def plot(report: GrowthReport) -> str:
    """As one SVG file; a bar that grew by more than the goal is red."""
    most = max(max(one.cpu_us_per_event, one.grown_cpu_us_per_event) for one in report.growth)
    scale = (WIDTH - LEFT - RIGHT) / most
    height = TOP + ROW * len(report.growth) + 12
    parts = [
        '<text x="16" y="26">CPU an event, µs: the common size, and '
        f"{report.factor} times as much of one thing</text>"
    ]
    for place, one in enumerate(report.growth):
        y = TOP + ROW * place
        grown = "over" if one.ratio > GOAL else "many"
        parts.append(f'<text x="16" y="{y + 30}">{one.dimension}</text>')
        for offset, name, size, value in (
            (8, "few", one.size, one.cpu_us_per_event),
            (36, grown, one.grown, one.grown_cpu_us_per_event),
        ):
            width = value * scale
            parts.append(
                f'<rect class="{name}" x="{LEFT}" y="{y + offset}" width="{width:.1f}" height="24" rx="3"/>'
                f'<text class="soft" x="{LEFT + width + 8:.1f}" y="{y + offset + 17}">{value:.1f}'
                f" ({size:,})</text>"
            )
        parts.append(f'<text class="soft" x="16" y="{y + 50}">× {one.ratio:.2f}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="CPU an event as things grow"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )

"""Plots of a load report as SVG text: lines over time, percentiles, a heat map, the knee. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any, Final, NamedTuple

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 40
CELLS_PER_DECADE: Final = 8

Scale = Callable[[float], float]


class Line(NamedTuple):
    """One line of a plot.

    Attributes:
        name: as the legend says it; also its CSS class.
        points: x and y in the plot's units.
        is_area: filled down to the axis.
    """

    name: str
    points: Sequence[tuple[float, float]]
    is_area: bool = False


def over_time(lines: Sequence[Line], unit: str) -> str:
    """Lines over seconds, from zero up."""
    longest = max((x for line in lines for x, _ in line.points), default=1) or 1
    highest = max((y for line in lines for _, y in line.points), default=1) or 1
    step = nice(highest / 4)
    top = math.ceil(highest / step) * step
    x, y = linear(0, longest, LEFT, WIDTH - RIGHT), linear(0, top, HEIGHT - BOTTOM, TOP)
    ticks = [(step * at, short(step * at)) for at in range(round(top / step) + 1)]
    drawn = [_drawn(line, x, y, f"{unit} at %g s: %s") for line in lines]
    return _svg(_grid_y(ticks, y) + _grid_x(_seconds(longest), x, "seconds · 秒") + "".join(drawn), unit)


def percentile_plot(found: Sequence[tuple[str, Any]]) -> str:
    """HDR histograms by percentile: the axis stretches the nines, the other is logarithmic milliseconds."""
    lines = [Line(name, _nines(one)) for name, one in found if one.total_count]
    values = [y for line in lines for _, y in line.points]
    if not values:
        return _svg(f'<text class="note" x="{WIDTH / 2}" y="{HEIGHT / 2}">nothing was measured</text>', "ms")
    y, ticks = logarithmic(min(values), max(values))
    most = max(x for line in lines for x, _ in line.points)
    x = linear(0, most, LEFT, WIDTH - RIGHT)
    names = [(0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %"), (5.0, "99.999 %")]
    marks = [(at, name) for at, name in names if at <= most]
    drawn = [_drawn(line, x, y, "") for line in lines]
    return _svg(_grid_y(ticks, y) + _grid_x(marks, x, "percentile · 百分位") + "".join(drawn), "ms")


def heat_map(seconds: Iterable[tuple[int, Any]]) -> str:
    """How many events were answered how fast in each second: time across, logarithmic milliseconds up."""
    cells: dict[tuple[int, int], int] = {}
    for second, found in seconds:
        for item in found.get_recorded_iterator():
            ms = max(item.value_iterated_to / 1000, 0.01)
            cell = (second, math.floor(math.log10(ms) * CELLS_PER_DECADE))
            cells[cell] = cells.get(cell, 0) + item.count_added_in_this_iter_step
    if not cells:
        return _svg(f'<text class="note" x="{WIDTH / 2}" y="{HEIGHT / 2}">nothing was measured</text>', "ms")
    rows = [row for _, row in cells]
    low, high = 10 ** (min(rows) / CELLS_PER_DECADE), 10 ** ((max(rows) + 1) / CELLS_PER_DECADE)
    y, ticks = logarithmic(low, high)
    longest = max(second for second, _ in cells) + 1
    x = linear(0, longest, LEFT, WIDTH - RIGHT)
    most = max(cells.values())
    drawn = []
    for (second, row), count in sorted(cells.items()):
        top, bottom = y(10 ** ((row + 1) / CELLS_PER_DECADE)), y(10 ** (row / CELLS_PER_DECADE))
        strength = 0.12 + 0.88 * math.log1p(count) / math.log1p(most)
        drawn.append(
            f'<rect class="cell" x="{x(second):.1f}" y="{top:.1f}" width="{x(1) - x(0):.2f}"'
            f' height="{bottom - top:.2f}" fill-opacity="{strength:.2f}"><title>second {second}:'
            f" {count:,} events up to {short(10 ** ((row + 1) / CELLS_PER_DECADE))} ms</title></rect>"
        )
    return _svg(_grid_y(ticks, y) + _grid_x(_seconds(longest), x, "seconds · 秒") + "".join(drawn), "ms")


def knee_plot(steps: Sequence[dict[str, Any]], limit: float, p99_ms: float) -> str:
    """p99 by rate: what held, what broke, and the limit between them."""
    shown = [step for step in steps if math.isfinite(step["p99_ms"])]
    if not shown:
        return _svg(f'<text class="note" x="{WIDTH / 2}" y="{HEIGHT / 2}">nothing was measured</text>', "ms")
    y, ticks = logarithmic(min(step["p99_ms"] for step in shown), max(p99_ms, *(s["p99_ms"] for s in shown)))
    highest = max(step["rate"] for step in shown)
    unit = nice(highest / 6)
    top = math.ceil(highest / unit) * unit
    x = linear(0, top, LEFT, WIDTH - RIGHT)
    marks = [(unit * at, short(unit * at)) for at in range(round(top / unit) + 1)]
    way = Line("committed", [(step["rate"], step["p99_ms"]) for step in shown])
    parts = [_grid_y(ticks, y), _grid_x(marks, x, "events a second · 每秒事件"), _drawn(way, x, y, "")]
    parts.append(f'<path class="bound" d="M{LEFT} {y(p99_ms):.1f}H{WIDTH - RIGHT}"/>')
    if limit:
        parts.append(f'<path class="limit" d="M{x(limit):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text class="limit" x="{x(limit) - 8:.1f}" y="{TOP + 14}" text-anchor="end">'
            f"{limit:,.0f}/s</text>"
        )
    for step in shown:
        told = f"{step['rate']:,.0f}/s: p99 {step['p99_ms']:,.0f} ms, " + (step["why"] or "holds")
        parts.append(
            f'<circle class="{"bad" if step["why"] else "good"}" r="6" cx="{x(step["rate"]):.1f}"'
            f' cy="{y(step["p99_ms"]):.1f}"><title>{escape(told)}</title></circle>'
        )
    return _svg("".join(parts), "p99, ms")


def linear(low: float, high: float, begin: float, end: float) -> Scale:
    """From a range of values to a range of pixels."""
    return lambda value: begin + (value - low) / ((high - low) or 1) * (end - begin)


def logarithmic(low: float, high: float) -> tuple[Scale, list[tuple[float, str]]]:
    """A vertical scale over whole decades that hold both values, and its ticks."""
    first, last = math.floor(math.log10(max(low, 0.001))), math.ceil(math.log10(max(high, 0.001)))
    last = max(last, first + 1)
    scale = linear(first, last, HEIGHT - BOTTOM, TOP)
    ticks = [(10.0**at, short(10.0**at)) for at in range(first, last + 1)]
    return lambda value: scale(math.log10(max(value, 10.0**first))), ticks


def nice(about: float) -> float:
    """A round step of about that size: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(about, 1e-9)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= about * 0.999)


def short(value: float) -> str:
    """A number for an axis: 1.5k, 20k, 3M."""
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


def _nines(found: Any) -> list[tuple[float, float]]:
    most = min(5.0, math.log10(max(found.total_count, 10)))
    points = []
    for at in range(101):
        x = most * at / 100
        points.append((x, max(found.get_value_at_percentile(100 * (1 - 10**-x)), 1) / 1000))
    return points


def _seconds(longest: float) -> list[tuple[float, str]]:
    step = max(1.0, nice(longest / 8))
    return [(step * at, short(step * at)) for at in range(int(longest / step) + 1)]


def _drawn(line: Line, x: Scale, y: Scale, told: str) -> str:
    if not line.points:
        return ""
    way = "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in line.points)
    parts = []
    if line.is_area:
        begin, end = x(line.points[0][0]), x(line.points[-1][0])
        floor = HEIGHT - BOTTOM
        parts.append(f'<path class="area {line.name}" d="M{begin:.1f} {floor}L{way}L{end:.1f} {floor}Z"/>')
    parts.append(f'<path class="line {line.name}" d="M{way}"/>')
    if told:
        parts += [
            f'<circle class="hit" cx="{x(at):.1f}" cy="{y(value):.1f}" r="7">'
            f"<title>{line.name}, {escape(told % (at, f'{value:,.0f}'))}</title></circle>"
            for at, value in line.points
        ]
    return "".join(parts)


def _grid_y(ticks: Sequence[tuple[float, str]], y: Scale) -> str:
    return "".join(
        f'<path class="grid" d="M{LEFT} {y(at):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 8}" y="{y(at) + 4:.1f}" text-anchor="end">{name}</text>'
        for at, name in ticks
    )


def _grid_x(ticks: Sequence[tuple[float, str]], x: Scale, name: str) -> str:
    marks = "".join(
        f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'
        for at, text in ticks
    )
    return marks + f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{name}</text>'


def _svg(content: str, unit: str) -> str:
    label = f'<text class="axis" x="4" y="{TOP - 2}">{escape(unit)}</text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(unit)}">{content}{label}</svg>'
    )

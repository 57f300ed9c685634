"""The HTML report of a score: one file that needs nothing else, in English and Chinese. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from simulators.load_report import STYLE
from simulators.reality.score import Rule, figures

_MORE_STYLE: Final = """
.bar{fill:var(--committed)}.bar.bad{fill:var(--bad)}.dot{fill:var(--durable);opacity:.55}
.mark{stroke:var(--alert);stroke-width:2.5}svg text.rule{text-anchor:end;font-size:12.5px}
svg text.axis{text-anchor:middle}ul{color:var(--soft);font-size:13px}
"""
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 960, 220, 20, 26, 26
_LEAST_S, _MOST_S = 1.0, 36_000.0
_TICKS: Final = ((1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (36_000, "10 h"))


def report(
    title: str,
    hours: float,
    scored: Mapping[str, Rule],
    *,
    played: Mapping[str, bool | None],
    missing: Sequence[str],
    unexpected: Sequence[str],
) -> str:
    """The page.

    Args:
        title: of everything that was played.
        hours: that the worlds cover.
        scored: how each rule did in them.
        played: stories and worlds by name: whether each ended as told; None: nobody compared it.
        missing: what should have been found, of stories too.
        unexpected: what was found and should not have been.
    """
    told = {code: rule for code, rule in scored.items() if rule.found or rule.missed or rule.false}
    parts = [_head(title, hours, played, missing, unexpected)]
    if scored:
        parts += [_tiles(scored, missing, unexpected), _table(scored), _shares(told), _delays(told)]
    parts.append(_wrong(scored, missing, unexpected))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{_MORE_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(
    title: str,
    hours: float,
    played: Mapping[str, bool | None],
    missing: Sequence[str],
    unexpected: Sequence[str],
) -> str:
    compared = [is_as_told for is_as_told in played.values() if is_as_told is not None]
    if not compared:
        said = "Nothing was compared."
    elif all(compared):
        said = "Everything was found, and nothing else."
    else:
        said = f"{len(missing)} missed, {len(unexpected)} false."
    about = f"{escape(title)} · {sum(compared)} of {len(played)} as told · 与事实相符"
    if hours:
        about += f" · {hours:,.0f} truck-hours · 货车小时"
    return f"<h1>{said}</h1><p>{about}</p>"


def _tiles(scored: Mapping[str, Rule], missing: Sequence[str], unexpected: Sequence[str]) -> str:
    found = sum(rule.found for rule in scored.values())
    missed, false = len(missing), len(unexpected)
    still_open = sum(len(rule.still_open) for rule in scored.values())
    unsure = sum(rule.unsure for rule in scored.values())
    tiles = (
        (found, "found · 命中", "good"),
        (missed, "missed · 漏报", "bad" if missed else "good"),
        (false, "false · 误报", "bad" if false else "good"),
        (still_open, "over, and still open · 已结束未闭", "bad" if still_open else "good"),
        (unsure, "too near a limit to count · 临界不计", ""),
    )
    body = "".join(
        f'<div class="tile"><b class="{css}">{n:,}</b><span>{name}</span></div>' for n, name, css in tiles
    )
    return f'<div class="tiles">{body}</div>'


def _table(scored: Mapping[str, Rule]) -> str:
    heads = "".join(
        f"<th>{name}</th>"
        for name in (
            "rule · 规则", "found · 命中", "missed · 漏报", "false · 误报", "precision", "recall",
            "delay p50", "p95", "borderline", "taken back", "still open", "unheard",
        )
    )  # fmt: skip
    rows = []
    for code, row in figures(scored).items():
        cells = [row["found"], row["missed"], row["false"], _share(row["precision"]), _share(row["recall"])]
        cells += [
            _seconds(row["delay_p50_s"]),
            _seconds(row["delay_p95_s"]),
            f"{row['borderline']}/{row['unsure']}",
            row["withdrawn"],
            row["still_open"],
            row["unheard"],
        ]
        rows.append(f"<tr><td>{code}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    told = (
        "Borderline: incidents too near to a limit, found of all. Taken back: by late data, or dated anew."
        " Still open: what it tells of was seen to end. Unheard: found of a time of which a device's own word"
        " hadn't gone out at the end; counts neither way."
    )
    return _section(
        "Confusion · 混淆表",
        told,
        f'<div class="scroll"><table><tr>{heads}</tr>{"".join(rows)}</table></div>',
    )


def _shares(told: Mapping[str, Rule]) -> str:
    """Two bars a rule: what of it was found, and what was false."""
    drawn = []
    most = max((rule.found + len(rule.missed) + len(rule.false) for rule in told.values()), default=1)
    scale = (_WIDTH - _LEFT - _RIGHT - 40) / most
    for place, (code, rule) in enumerate(told.items()):
        y = _TOP + place * _ROW
        found, wrong = rule.found * scale, (len(rule.missed) + len(rule.false)) * scale
        drawn.append(
            f'<text class="rule" x="{_LEFT - 10}" y="{y + 13}">{code}</text>'
            f'<rect class="bar" x="{_LEFT}" y="{y}" width="{found:.1f}" height="16" rx="3"/>'
            f'<rect class="bar bad" x="{_LEFT + found:.1f}" y="{y}" width="{wrong:.1f}" height="16" rx="3"/>'
            f'<text x="{_LEFT + found + wrong + 6:.1f}" y="{y + 13}">{rule.found}</text>'
        )
    return _section("Found and wrong · 命中与错误", "Red: missed or false.", _svg(drawn, len(told)))


def _delays(told: Mapping[str, Rule]) -> str:
    """A dot for each incident found: how long after it was due it was told."""
    drawn = []
    for seconds, name in _TICKS:
        x = _x(seconds)
        drawn.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{_TOP + len(told) * _ROW}"/>'
        )
        drawn.append(f'<text class="axis" x="{x:.1f}" y="{_TOP - 12}">{name}</text>')
    for place, (code, rule) in enumerate(told.items()):
        y = _TOP + place * _ROW + 8
        drawn.append(f'<text class="rule" x="{_LEFT - 10}" y="{y + 5}">{code}</text>')
        for delay in rule.delays_s:
            drawn.append(
                f'<circle class="dot" cx="{_x(delay):.1f}" cy="{y}" r="4.5">'
                f"<title>{delay:.0f} s</title></circle>"
            )
        median = rule.delay_s(0.5)
        if median is not None:
            drawn.append(
                f'<line class="mark" x1="{_x(median):.1f}" x2="{_x(median):.1f}" y1="{y - 8}" y2="{y + 8}"/>'
            )
    told_words = (
        "From the moment due by the rule to the moment recorded; far left: within a second, or before it was"
        " due; far right: devices without a network."
    )
    return _section("Delay of detection · 检出延迟", told_words, _svg(drawn, len(told)))


def _wrong(scored: Mapping[str, Rule], missing: Sequence[str], unexpected: Sequence[str]) -> str:
    lines = [f"missed · 漏报: {one}" for one in missing]
    lines += [f"false · 误报: {one}" for one in unexpected]
    lines += [f"still open · 未闭: {one}" for rule in scored.values() for one in rule.still_open]
    if not lines:
        return ""
    return _section(
        "What was wrong · 错误", "", f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in lines)}</ul>"
    )


def _section(title: str, told: str, body: str) -> str:
    return f"<section><h2>{title}</h2><p>{escape(told)}</p>{body}</section>"


def _svg(drawn: list[str], rows: int) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_TOP + rows * _ROW + 8}" role="img">{"".join(drawn)}</svg>'


def _x(seconds: float) -> float:
    share = math.log(min(max(seconds, _LEAST_S), _MOST_S) / _LEAST_S) / math.log(_MOST_S / _LEAST_S)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} s"

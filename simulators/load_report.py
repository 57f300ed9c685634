"""The HTML report of a load run: one file that needs nothing else, in English and Chinese. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Any, Final

import msgspec

from simulators.load_figures import Figures, Timeline
from simulators.load_plots import Line, heat_map, knee_plot, over_time, percentile_plot

_NAMES: Final = {
    "durable": "publish → durable · 落盘",
    "committed": "publish → committed · 提交",
    "alert": "publish → alert · 告警",
    "generator": "the generator's own delay · 发生器自身延迟",
}

STYLE: Final = """
:root{color-scheme:light dark;--paper:#f6f7f4;--card:#fff;--ink:#1d2a2f;--soft:#66757b;--grid:#e3e7e4;
--sent:#9aa7ad;--durable:#2b7bba;--committed:#0f8a5f;--alert:#c8553d;--generator:#a58bc2;--bad:#c0392b;
--good:#0f8a5f}
@media(prefers-color-scheme:dark){:root{--paper:#12181b;--card:#1a2327;--ink:#e4ebe8;--soft:#92a2a8;
--grid:#2a363b;--sent:#6d7c83;--durable:#5aa9e6;--committed:#3ecf9a;--alert:#f08a6c;--generator:#bfa6dd;
--bad:#ff7b6b;--good:#3ecf9a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"Noto Sans SC",
"PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:18px;margin:0 0 2px}
p{margin:0 0 12px;color:var(--soft)}
section{background:var(--card);border-radius:12px;padding:20px 20px 12px;margin-top:18px;
box-shadow:0 1px 3px #0002}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:14px;margin-top:22px}
.tile{background:var(--card);border-radius:12px;padding:14px 18px;box-shadow:0 1px 3px #0002}
.tile b{display:block;font-size:28px;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.good{color:var(--good)}.bad{color:var(--bad)}
svg{width:100%;height:auto;display:block;overflow:visible}
svg text{fill:var(--soft);font-size:12px}svg text.note{text-anchor:middle}svg text.axis{font-size:11px}
.grid{stroke:var(--grid);fill:none}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}
.area{opacity:.14;stroke:none}.hit{fill:transparent}.hit:hover{fill:currentColor}
.line.sent,.line.due{stroke:var(--sent)}.line.due{stroke-dasharray:5 5}
.line.durable{stroke:var(--durable)}.line.committed{stroke:var(--committed)}.line.alert{stroke:var(--alert)}
.line.generator{stroke:var(--generator)}.line.backlog{stroke:var(--alert)}
.area.committed{fill:var(--committed)}.area.durable{fill:var(--durable)}.area.backlog{fill:var(--alert)}
.cell{fill:var(--committed)}circle.good{fill:var(--good)}circle.bad{fill:var(--bad)}
.bound{stroke:var(--bad);stroke-dasharray:4 5;fill:none}.limit{stroke:var(--ink);stroke-width:1.5}
text.limit{fill:var(--ink);stroke:none;font-size:15px;font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:16px;font-size:13px;color:var(--soft);margin:6px 0}
.legend i{display:inline-block;width:18px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:500;font-size:13px}
details{margin-top:18px;color:var(--soft)}pre{overflow-x:auto;font-size:12px}
"""


def report(figures: Figures, timeline: Timeline) -> str:
    """The page.

    Args:
        figures: of the run; where the limit was looked for of the best one, else of that at the lowest rate.
        timeline: its seconds.
    """
    answered = "durable" if figures.bare else "committed"
    shown = [name for name in ("durable", "committed", "alert") if timeline.latencies[name].total_count]
    parts = [_head(figures), _tiles(figures)]
    if figures.limit is not None:
        parts.append(_limit(figures))
    parts.append(
        _section(
            "Events a second · 每秒事件数",
            "What was due, what the broker had, and what was committed, in each second.",
            [*(["due", "durable"] if figures.bare else ["due", "durable", "committed"])],
            over_time(_rates(figures, timeline), "events/s"),
        )
    )
    parts.append(
        _section(
            "Latency by percentile · 延迟分布",
            "From the moment at which a message was due. Each step to the right is ten times rarer.",
            [*shown, "generator"],
            percentile_plot([(name, timeline.latencies[name]) for name in (*shown, "generator")]),
        )
    )
    parts.append(
        _section(
            "Latency over time · 延迟随时间",
            f"{_NAMES[answered]}: the darker a field, the more events were answered so fast in that second.",
            [],
            heat_map(
                (number, found)
                for number, second in sorted(timeline.seconds.items())
                if (found := second.latency(answered)) is not None
            ),
        )
    )
    sent, done = timeline.running("sent"), timeline.running(answered)
    waiting = [(at + 1.0, float(s - d)) for at, (s, d) in enumerate(zip(sent, done, strict=True))]
    parts.append(
        _section(
            "Backlog · 积压",
            f"Events that were sent and not yet {answered}, at the end of each second.",
            [],
            over_time([Line("backlog", [(0.0, 0.0), *waiting], is_area=True)], "events"),
        )
    )
    parts.append(_percentiles(figures))
    raw = escape(msgspec.json.format(msgspec.json.encode(figures)).decode())
    parts.append(f"<details><summary>All figures · 全部数据</summary><pre>{raw}</pre></details>")
    title = f"Load report: {figures.profile}, {figures.rate:,.0f}/s"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def verdict(figures: Figures) -> str:
    """The run in one sentence."""
    kept = figures.durable_per_s if figures.bare else figures.committed_per_s
    what = "acknowledged" if figures.bare else "committed"
    if figures.limit is not None:
        return _found(figures.limit)
    if kept >= figures.rate * 0.95:
        return f"{figures.rate:,.0f} events a second: it kept up."
    return f"{figures.rate:,.0f} events a second were due, {kept:,.0f} were {what} in time."


def _found(limit: dict[str, Any]) -> str:
    rate, broke, why = f"{limit['rate']:,.0f}", limit["broke_at"], limit["why"]
    if broke is None:
        return f"At least {rate} events a second; every rate that was tried held."
    if not limit["rate"]:
        return f"No rate that was tried held; the lowest was {broke:,.0f} events a second ({why})."
    if why == "generator":
        return f"At least {rate} events a second; the generator could make no more."
    return f"The limit here is {rate} events a second."


def _head(figures: Figures) -> str:
    began = datetime.fromtimestamp(figures.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    late = (
        '<p class="bad">The generator was late itself, so the latencies are not the system\'s alone.'
        " 发生器自身跟不上，延迟不全是系统的。</p>"
        if figures.generator_is_late
        else ""
    )
    kind = "bare broker · 裸代理" if figures.bare else "deployment · 部署"
    return (
        f"<h1>{escape(verdict(figures))}</h1><p>{began} · {kind} {escape(figures.target)} · profile"
        f" {figures.profile} · {figures.devices:,} devices · {figures.per_publish} events a message ·"
        f" {figures.for_s:g} s · {figures.processes} processes · open loop</p>{late}"
    )


def _tiles(figures: Figures) -> str:
    found = []
    for name in ("durable", "committed", "alert"):
        latency = figures.latency_ms.get(name)
        if latency:
            found.append((f"{latency['p99']:,.0f} ms", f"p99 {_NAMES[name]}", ""))
    if figures.checked is not None:
        told = figures.checked
        style = "good" if told.is_whole else "bad"
        value = f"{told.lost} · {told.doubled} · {told.rejected}"
        found.append((value, "lost · doubled · rejected, by the database · 丢失 · 重复 · 拒收", style))
        if told.unaccounted:
            found.append((f"{told.unaccounted}", "rows that no batch accounts for · 与批次不符的行", "bad"))
    else:
        style = "bad" if figures.unanswered else "good"
        found.append((f"{figures.unanswered:,}", "without an answer · 未确认", style))
    if figures.alerts_expected:
        heard = f"{figures.alerts_heard} / {figures.alerts_expected}"
        style = "good" if figures.alerts_heard == figures.alerts_expected else "bad"
        found.append((heard, "alerts heard · 收到的告警", style))
    tiles = "".join(
        f'<div class="tile"><b class="{style}">{value}</b><span>{name}</span></div>'
        for value, name, style in found
    )
    return f'<div class="tiles">{tiles}</div>'


def _limit(figures: Figures) -> str:
    assert figures.limit is not None
    limit = figures.limit
    broke = (
        f"It broke at {limit['broke_at']:,.0f}: {limit['why']}." if limit["broke_at"] else "Nothing broke."
    )
    plot = knee_plot(limit["steps"], limit["rate"], limit["bounds"]["p99_ms"])
    below = "the best run that held" if limit["rate"] else "the run at the lowest rate"
    return _section("The knee · 极限", f"{broke} Below: {below}.", [], plot)


def _rates(figures: Figures, timeline: Timeline) -> list[Line]:
    lines = [Line("due", [(0.0, figures.rate), (figures.for_s, figures.rate)])]
    last = max(timeline.seconds, default=-1)
    for name in ("durable",) if figures.bare else ("durable", "committed"):
        points = [
            (at + 0.5, float(timeline.seconds[at].counts[name]) if at in timeline.seconds else 0.0)
            for at in range(last + 1)
        ]
        lines.append(Line(name, points, is_area=name == "committed" or figures.bare))
    return lines


def _section(title: str, told: str, legend: list[str], plot: str) -> str:
    marks = "".join(
        f'<span><i style="background:var(--{"sent" if name == "due" else name})"></i>'
        f"{_NAMES.get(name, 'due · 应发').removeprefix('publish → ')}</span>"
        for name in legend
    )
    shown = f'<div class="legend">{marks}</div>' if marks else ""
    return f"<section><h2>{title}</h2><p>{escape(told)}</p>{shown}{plot}</section>"


def _percentiles(figures: Figures) -> str:
    rows, heads = [], ""
    for name, found in figures.latency_ms.items():
        if found:
            heads = "".join(f"<th>{at}</th>" for at in found)
            cells = "".join(f"<td>{value:,.1f}</td>" for value in found.values())
            rows.append(f"<tr><td>{_NAMES[name]}</td>{cells}</tr>")
    table = f"<tr><th>milliseconds · 毫秒</th>{heads}</tr>{''.join(rows)}"
    return f'<section class="scroll"><h2>Percentiles · 百分位</h2><table>{table}</table></section>'

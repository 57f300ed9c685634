"""The table of ``docs/capacity.md``: ``python -m gateway.planning.page`` prints it."""

from __future__ import annotations

from typing import Final

from gateway.planning.figures import Figures, load
from gateway.planning.model import Assumptions, Needs, needs

SIZES: Final = (("park", 2_000, 30.0), ("city", 50_000, 30.0), ("province", 1_000_000, 30.0))
"""Name, devices, seconds from one event of a device to its next."""


def table(figures: Figures) -> str:
    """A Markdown table, a column for each size."""
    found = [needs(devices, interval_s, figures, Assumptions()) for _, devices, interval_s in SIZES]
    head = "| | " + " | ".join(f"{name}: {devices:,} devices" for name, devices, _ in SIZES) + " |"
    rows = [head, "|---" * (len(SIZES) + 1) + "|"]
    columns = [_column(one) for one in found]
    for place, (label, _) in enumerate(columns[0]):
        rows.append(f"| {label} | " + " | ".join(column[place][1] for column in columns) + " |")
    return "\n".join(rows)


def _column(one: Needs) -> list[tuple[str, str]]:
    cores = one.cores
    return [
        ("form", one.form),
        ("events a second: mean, peak", f"{one.events_per_s:,.0f}, {one.peak_events_per_s:,.0f}"),
        ("cores", f"{one.total_cores:,}"),
        (
            "… broker, database, gateway, judge",
            f"{cores.broker:.2f}, {cores.database:.2f}, {cores.gateway:.2f}, {cores.judge:.2f}",
        ),
        ("gateway workers, judges", f"{one.workers}, {one.judges}"),
        ("databases", f"{one.databases}"),
        ("memory, GiB", f"{one.memory_gib:,.1f}"),
        (
            "database, GiB a day: as written, compressed",
            f"{one.database_gib_per_day:,.1f}, {one.compressed_gib_per_day:,.1f}",
        ),
        (
            "database, GiB in 400 days: compressed, not",
            f"{one.stored_gib:,.0f}, {one.stored_uncompressed_gib:,.0f}",
        ),
        ("write-ahead log, GiB a day", f"{one.log_gib_per_day:,.1f}"),
        ("broker's stream, GiB", f"{one.stream_gib:,.1f}"),
        ("network from devices, Mbit/s", f"{one.network_mbit_per_s:,.1f}"),
    ]


if __name__ == "__main__":
    print(table(load()))

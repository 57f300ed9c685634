"""What the database says of a load: is everything there, and once?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.load.stage import PARK
from simulators.load_figures import Recorded
from tracking.store.database import Connection

PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 0.5

_TOLD: Final = """
select code, count(*) filter (where recorded), count(distinct seq) filter (where recorded),
       count(*) filter (where not recorded), count(distinct seq)
from (
    select d.code, o.seq, true as recorded
    from devices d join parks p using (park_id) join observations o using (device_id)
    where p.code = %(park)s and o.run = %(run)s
    union all
    select d.code, r.seq, false
    from devices d join parks p using (park_id) join rejections r using (device_id)
    where p.code = %(park)s and r.run = %(run)s
) told
group by code
"""

_UNACCOUNTED: Final = """
with mine as materialized (
    select distinct o.batch_id
    from devices d join parks p using (park_id) join observations o using (device_id)
    where p.code = %(park)s and o.run = %(run)s
), held as (
    select batch_id, count(*) as events
    from observations
    where batch_id between (select min(batch_id) from mine) and (select max(batch_id) from mine)
    group by batch_id
)
select coalesce(sum(abs(held.events - coalesce(b.events, 0))), 0)::bigint
from mine join held using (batch_id) left join batches b using (batch_id)
"""


class Told(NamedTuple):
    """Of one device: rows, distinct events among them, rejections, distinct events recorded or rejected."""

    rows: int
    recorded: int
    rejected: int
    known: int


def check(conn: Connection, run: int, last: Mapping[str, int], patience_s: float = PATIENCE_S) -> Recorded:
    """Compare what is recorded of a run with what was sent.

    Args:
        conn: the deployment's database.
        run: of the load's events.
        last: device -> how many events it sent, numbered from 1.
        patience_s: how long nothing more may come until what isn't there is lost.
    """
    asked = {"park": PARK, "run": run}
    before, ends = 0, time.monotonic() + patience_s
    while True:
        told = {f"{PARK}/{code}": Told(*counts) for code, *counts in conn.execute(_TOLD, asked)}
        lost = sum(max(0, sent - told[name].known if name in told else sent) for name, sent in last.items())
        known = sum(one.known for one in told.values())
        if known > before:
            before, ends = known, time.monotonic() + patience_s
        if not lost or time.monotonic() >= ends:
            break
        time.sleep(_PAUSE_S)
    (unaccounted,) = conn.execute(_UNACCOUNTED, asked).fetchone() or (0,)
    return Recorded(
        recorded=sum(one.recorded for one in told.values()),
        lost=lost,
        doubled=sum(one.rows - one.recorded for one in told.values()),
        rejected=sum(one.rejected for one in told.values()),
        unaccounted=unaccounted,
    )

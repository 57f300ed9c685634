"""What the database says of a load: is everything there, and once?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from gateway.load.stage import PARK
from simulators.load_figures import Recorded
from tracking.store.database import Connection

PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 0.5

_RECORDED: Final = """
select d.code, count(*), count(distinct o.seq)
from devices d
join parks p using (park_id)
join observations o using (device_id)
where p.code = %(park)s and o.run = %(run)s
group by d.code
"""

_REJECTED: Final = """
select count(*)
from rejections r
join devices d using (device_id)
join parks p using (park_id)
where p.code = %(park)s and r.run = %(run)s
"""


def check(conn: Connection, run: int, last: Mapping[str, int], patience_s: float = PATIENCE_S) -> Recorded:
    """Compare what is recorded of a run with what was sent.

    Args:
        conn: the deployment's database.
        run: of the load's events.
        last: device -> how many events it sent, numbered from 1.
        patience_s: how long events that aren't there yet may take.
    """
    ends = time.monotonic() + patience_s
    while True:
        found = _compare(conn, run, last)
        if not found.lost or time.monotonic() > ends:
            return found
        time.sleep(_PAUSE_S)


def _compare(conn: Connection, run: int, last: Mapping[str, int]) -> Recorded:
    asked = {"park": PARK, "run": run}
    rows = {f"{PARK}/{code}": (rows, distinct) for code, rows, distinct in conn.execute(_RECORDED, asked)}
    (rejected,) = conn.execute(_REJECTED, asked).fetchone() or (0,)
    missing = sum(max(0, sent - rows.get(name, (0, 0))[1]) for name, sent in last.items())
    return Recorded(
        recorded=sum(distinct for _, distinct in rows.values()),
        lost=max(0, missing - rejected),
        doubled=sum(count - distinct for count, distinct in rows.values()),
        rejected=rejected,
    )

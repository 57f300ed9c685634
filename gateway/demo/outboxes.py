"""What the simulated devices still hold: events without a receipt, in their outbox files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tracking.store.figures import EventKey


def waiting(directory: Path) -> list[EventKey]:
    """Every event that waits for its receipt. Nobody has the files open: no simulator runs.

    Args:
        directory: where the simulator keeps its outboxes.
    """
    return [key for path in sorted(directory.glob("*.outbox")) for key in _of(path)]


def _of(path: Path) -> list[EventKey]:
    with closing(sqlite3.connect(path)) as box:
        facts = dict(box.execute("select name, value from facts_of_this_file").fetchall())
        numbers = box.execute("select seq from events where confirmed = 0 order by seq").fetchall()
    park, _, code = facts["device"].partition("/")
    return [EventKey(park, code, int(facts["run"]), seq) for (seq,) in numbers]

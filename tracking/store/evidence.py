"""Reads observations as they were sent, with where they stand in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from tracking.domain.custody.corrections import Observed
from tracking.store.database import Connection, queries

SQL: Final = queries("evidence")


class OpenedRow(NamedTuple):
    """A recorded observation. ``root`` is None where its batch is gone, ``log_index`` until the batch has its
    leaf.
    """

    dialect: str
    received_at: datetime
    recorded_at: datetime
    batch: int
    leaf: int
    body: bytes
    root: bytes | None
    log_index: int | None


def opened(conn: Connection, observed: Sequence[Observed]) -> list[OpenedRow | None]:
    """What is recorded under these names, in their order; None: nothing is."""
    found = conn.execute(
        SQL["opened"],
        {
            "devices": [one.device for one in observed],
            "times": [one.time for one in observed],
            "runs": [one.run for one in observed],
            "seqs": [one.seq for one in observed],
        },
    )
    rows = {place - 1: OpenedRow(*row) for place, *row in found}
    return [rows.get(place) for place in range(len(observed))]

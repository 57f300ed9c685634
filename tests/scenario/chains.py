"""The verdict on a shipment's chain of custody, from what an installation has recorded.

The HTTP API doesn't show it yet, so it is derived here as a judging derives it.
"""

from __future__ import annotations

from datetime import datetime

from tracking.domain.custody.case import open_case
from tracking.domain.custody.continuity import continuity
from tracking.domain.custody.judge import judge
from tracking.judge.gather import gather
from tracking.judge.places import Areas
from tracking.store import judging
from tracking.store.database import Connection


def chain_of(conn: Connection, number: str, until: datetime) -> str:
    """``continuous``, ``gap`` or ``broken``, as of a moment that everything is recorded up to."""
    with conn.transaction(force_rollback=True):
        row = conn.execute("select shipment_id from shipments where number = %s", [number]).fetchone()
        assert row is not None, number
        shipments = judging.lock_shipments(conn, [row[0]])
        facts = gather(conn, shipments, Areas().current(conn), until)[row[0]]
        found = judge(facts, until)
        return str(continuity(open_case(facts, until), found.findings).verdict)

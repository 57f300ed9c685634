"""Findings and corrections to the observations that they name: each must be there.

That its bytes are those that were recorded, ``batches`` looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tracking.domain.custody.corrections import Observed
from tracking.domain.ledger.certificate import cited
from tracking.exchange.verify.report import Part
from tracking.store import corrections, verify
from tracking.store.database import Connection


def check(conn: Connection, shipment_ids: Sequence[int]) -> Part:
    """Every observation that a finding of these shipments rests on, in any of its versions."""
    part = Part()
    citing: dict[Observed, set[str]] = {}
    for number, rule, finding_id, evidence in verify.rows(conn, "evidence", ids=list(shipment_ids)):
        for device, (time, run, seq) in cited(evidence):
            observation = Observed(device, datetime.fromisoformat(time), run, seq)
            citing.setdefault(observation, set()).add(f"{number} {rule} {finding_id}")
    observed = list(citing)
    for observation, is_there in zip(observed, corrections.is_recorded(conn, observed), strict=True):
        if not is_there:
            for finding in sorted(citing[observation]):
                part.differs("findings", finding, f"rests on {observation}, which is gone")
    return part


def check_corrections(conn: Connection) -> Part:
    """Every correction is of something."""
    part = Part()
    for entry in corrections.unrecorded(conn):
        part.differs("corrections", entry, "is of an observation that is gone")
    return part

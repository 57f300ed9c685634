"""From a finding to the exact bytes that devices sent, and whether these are still what was recorded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from tracking.domain.custody.corrections import Correction, Observed
from tracking.domain.ledger import merkle
from tracking.domain.ledger.certificate import cited
from tracking.domain.ledger.pruned import Missing, PrunedTree
from tracking.store import corrections, evidence, retention
from tracking.store.database import Connection

BATCHES: Final = 20
"""Whose events are hashed at once."""


def observed(pieces: Sequence[Mapping[str, Any]]) -> list[Observed]:
    """The observations that pieces of evidence name, each once, by device and time."""
    found = {
        Observed(device, datetime.fromisoformat(time), run, seq) for device, (time, run, seq) in cited(pieces)
    }
    return sorted(found, key=lambda one: (one.device, one.time, one.run, one.seq))


def opened(conn: Connection, wanted: Sequence[Observed]) -> list[dict[str, Any]]:
    """These observations as they were sent, in their order.

    ``is_recorded`` says whether there is such an observation; ``is_proven`` whether the events of its batch
    are still those that the batch's root in the log stands for. That costs the hashing of each batch, so
    whoever asks for many asks by the page.

    Args:
        conn: any connection.
        wanted: which.
    """
    rows = evidence.opened(conn, wanted)
    roots = _roots(conn, sorted({row.batch for row in rows if row is not None}))
    corrected: dict[Observed, list[Correction]] = {}
    for correction in corrections.of_observations(conn, wanted):
        corrected.setdefault(correction.observation, []).append(correction)
    return [
        msgspec.structs.asdict(one)
        | {"corrections": [shown(correction) for correction in corrected.get(one, ())]}
        | _bytes(row, roots)
        for one, row in zip(wanted, rows, strict=True)
    ]


def _bytes(row: evidence.OpenedRow | None, roots: Mapping[int, bytes | None]) -> dict[str, Any]:
    if row is None:
        return {"is_recorded": False, "is_proven": False}
    return {
        "is_recorded": True,
        "is_proven": row.root is not None and roots[row.batch] == row.root,
        "received_at": row.received_at,
        "recorded_at": row.recorded_at,
        "dialect": row.dialect,
        "raw": b64encode(row.body).decode(),
        "text": _text(row.body),
        "batch": row.batch,
        "leaf": row.leaf,
        "leaf_hash": merkle.leaf_hash(row.body).hex(),
        "log_index": row.log_index,
    }


def _roots(conn: Connection, batches: Sequence[int]) -> dict[int, bytes | None]:
    """What each batch's events come to now. A batch may have thousands of them, so few are read at once."""
    return {
        batch: _root(tree)
        for begin in range(0, len(batches), BATCHES)
        for batch, tree in retention.trees(conn, batches[begin : begin + BATCHES]).items()
    }


def _root(tree: PrunedTree) -> bytes | None:
    """Of what is left and what is known to be gone; None: an event is missing."""
    try:
        return tree.root()
    except Missing:
        return None


def _text(body: bytes) -> str | None:
    """The bytes as text, where they are some."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def shown(correction: Correction) -> dict[str, Any]:
    """A correction as the API tells it."""
    told = msgspec.structs.asdict(correction)
    retraction = correction.retraction
    return told | {
        "observation": msgspec.structs.asdict(correction.observation),
        "corrective": [msgspec.structs.asdict(one) for one in correction.corrective],
        "retraction": None if retraction is None else msgspec.structs.asdict(retraction),
        "stands": correction.stands,
    }

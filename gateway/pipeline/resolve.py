"""Step 3, resolve: hold what the batch was read against, fence it, lock its devices, drop what is known.

1. the reference revision, shared: areas and devices stay as they are until the commit
2. the fence: every partition still stands where the batch begins, at the epoch at which it was read
3. the devices' rows, in device order: whoever else hears these devices waits
4. identity: what is new against the numbers that are in
"""

from __future__ import annotations

from typing import Final

from gateway.pipeline import identity
from gateway.pipeline.load import NEVER_HEARD, Load
from gateway.pipeline.tools import Tools
from tracking.domain.errors import Retryable
from tracking.domain.tracks import DeviceState
from tracking.store import positions, record
from tracking.store.database import Connection

_NEVER_HEARD: Final = NEVER_HEARD.encode()


class Moved(Retryable):
    """Areas or devices have changed since the batch was read: read them anew and start again, at once."""


def resolve(load: Load, tools: Tools) -> None:
    """See the module.

    Raises:
        Moved: the reference data have a newer revision.
        Fenced: another worker has a partition of the batch, or has recorded it already.
    """
    conn = tools.connection
    revision = record.hold_reference(conn)
    if revision != load.reference.revision:
        raise Moved(f"reference data moved from revision {load.reference.revision} to {revision}")
    _fence(load, conn)
    _lock(load, conn)
    doubtful = [heard for heard in load.heard.values() if heard.refused or not identity.counts_on(heard)]
    if doubtful:
        claims = identity.claims(load, doubtful)
        precedents = {found.place: found for found in record.precedents(conn, claims)}
        recorded = record.recorded_at_any_time(conn, claims) if load.replay else None
        identity.sort_out(load, doubtful, precedents, recorded)
    for heard in load.heard.values():
        identity.hear(load, heard)


def _fence(load: Load, conn: Connection) -> None:
    batch = load.batch
    steps = [
        positions.Step(move.partition, move.old, move.new, batch.epochs[move.partition])
        for move in batch.advances
    ]
    with conn.cursor() as cursor:
        positions.advance(cursor, batch.source, batch.epoch_owner, steps, through_us=batch.through_us)


def _lock(load: Load, conn: Connection) -> None:
    """Lock and read every device's state. One that was never heard gets a row first."""
    device_ids = sorted(load.heard)
    if not device_ids:
        return
    states = record.lock_states(conn, device_ids)
    missing = [device_id for device_id in device_ids if device_id not in states]
    if missing:
        record.make_states(conn, missing, _NEVER_HEARD)
        states |= record.lock_states(conn, missing)
    for device_id, heard in load.heard.items():
        heard.state = DeviceState.decode(states[device_id])

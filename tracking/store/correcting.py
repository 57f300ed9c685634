"""Declares observations to be in error, and takes that back: facts, added to and never changed.

Whoever says something of the same device waits; so of one observation one correction stands at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from devices.canonical import canonical
from tracking.domain.custody.corrections import Correction, Observed, Reason, Retraction
from tracking.store import corrections
from tracking.store.database import Connection, queries
from tracking.store.registry import Unknown, wake_judge

SQL: Final = queries("corrections")


class Refused(Exception):
    """It can't be corrected, or taken back, as asked for. The message says why and what to do."""


class Unrecorded(Refused):
    """There is no such observation.

    Attributes:
        observation: which was named.
    """

    def __init__(self, observation: Observed, detail: str) -> None:
        super().__init__(detail)
        self.observation = observation


class WasRejected(Unrecorded):
    """What was sent under this number was never taken, so that nothing rests on it."""


class Stands(Refused):
    """Another correction of it stands, or it was taken back in other words.

    Attributes:
        entry: of what stands.
    """

    def __init__(self, entry: int, detail: str) -> None:
        super().__init__(detail)
        self.entry = entry


class TakenBack(Stands):
    """It was declared in these very words, and taken back: a request that comes late must not undo that.

    Attributes:
        entry: of the correction that was taken back.
    """


class BadCorrective(Refused):
    """An observation that can't tell it right.

    Attributes:
        place: its index among those given.
    """

    def __init__(self, place: int, detail: str) -> None:
        super().__init__(detail)
        self.place = place


class Declared(NamedTuple):
    """What a request came to."""

    correction: Correction
    is_new: bool


def correct(
    conn: Connection,
    observation: Observed,
    *,
    reason: Reason,
    why: str,
    by: str,
    recorded_at: datetime,
    corrective: Sequence[Observed] = (),
) -> Declared:
    """Declare an observation to be in error, and leave the work that follows; all of it or nothing.

    Said again, nothing changes: the answer of the first time may have been lost.

    Args:
        conn: outside a transaction, or within the caller's.
        observation: which.
        reason: of what sort the error is.
        why: in words.
        by: who.
        recorded_at: now: the declaration time.
        corrective: recorded observations that tell it right.

    Raises:
        Unknown: there is no such device.
        Unrecorded: there is no such observation.
        WasRejected: it was never taken.
        Stands: another correction of it stands; that would have to be retracted first.
        TakenBack: the same was said before, and retracted.
        BadCorrective: an observation that isn't recorded, is itself in error, or is this one.
    """
    with conn.transaction():
        device_id = _lock(conn, observation.device)
        if not corrections.is_recorded(conn, [observation])[0]:
            raise _missing(conn, device_id, observation)
        said = Correction(0, observation, reason, why, tuple(corrective), by, recorded_at)
        for one in corrections.of_observations(conn, [observation]):
            if one.stands and one.says(said):
                return Declared(one, is_new=False)
            if one.says(said):
                detail = f"correction {one.entry} said the same and was taken back; say why, in other words"
                raise TakenBack(one.entry, detail)
            if one.stands:
                detail = f"{observation} is corrected already; retract correction {one.entry} first"
                raise Stands(one.entry, detail)
        _check(conn, observation, corrective)
        named = msgspec.json.decode(canonical([msgspec.structs.asdict(one) for one in corrective]))
        added = conn.execute(
            SQL["add"],
            {
                "device_id": device_id,
                "time": observation.time,
                "run": observation.run,
                "seq": observation.seq,
                "reason": reason,
                "why": why,
                "corrective": Jsonb(named),
                "by": by,
                "recorded_at": recorded_at,
            },
        ).fetchone()
        assert added is not None  # an insert that returns its row
        leave_work(conn, added[0])
    return Declared(msgspec.structs.replace(said, entry=added[0]), is_new=True)


def retract(conn: Connection, entry: int, *, why: str, by: str, recorded_at: datetime) -> Declared:
    """Take a correction back: its observation counts again. Said again, nothing changes.

    Raises:
        Unknown: there is no such correction.
        Stands: it was taken back already, with other words.
    """
    with conn.transaction():
        found = corrections.one(conn, entry)
        _lock(conn, found.observation.device)
        found = corrections.one(conn, entry)
        if found.retraction is not None:
            if (found.retraction.why, found.retraction.by) == (why, by):
                return Declared(found, is_new=False)
            raise Stands(found.retraction.entry, f"correction {entry} was retracted already")
        said = {"correction": entry, "why": why, "by": by, "recorded_at": recorded_at}
        added = conn.execute(SQL["add_retraction"], said).fetchone()
        assert added is not None  # an insert that returns its row
        leave_work(conn, entry)
    retraction = Retraction(added[0], why, by, recorded_at)
    return Declared(msgspec.structs.replace(found, retraction=retraction), is_new=True)


def _lock(conn: Connection, device: str) -> int:
    row = conn.execute(SQL["lock_device"], {"device": device}).fetchone()
    if row is None:
        raise Unknown("device", device)
    return int(row[0])


def _missing(conn: Connection, device_id: int, observation: Observed) -> Unrecorded:
    """Why an observation can't be found, as well as can be told."""
    named = {"device_id": device_id, "run": observation.run, "seq": observation.seq}
    elsewhen = conn.execute(SQL["recorded_elsewhen"], named).fetchone()
    if elsewhen is not None:
        return Unrecorded(observation, f"{observation} isn't recorded; its time is {elsewhen[0].isoformat()}")
    rejected = conn.execute(SQL["rejected"], named).fetchone()
    if rejected is None:
        return Unrecorded(observation, f"{observation} isn't recorded")
    detail = f"{observation} was rejected ({rejected[1]}, rejection {rejected[0]}): nothing rests on it"
    return WasRejected(observation, detail)


def _check(conn: Connection, observation: Observed, corrective: Sequence[Observed]) -> None:
    recorded = corrections.is_recorded(conn, corrective)
    wrong = {c.observation: c.entry for c in corrections.of_observations(conn, corrective) if c.stands}
    for place, one in enumerate(corrective):
        if one == observation:
            raise BadCorrective(place, f"{one} can't tell itself right")
        if not recorded[place]:
            raise BadCorrective(place, f"{one} isn't recorded")
        if one in wrong:
            raise BadCorrective(place, f"{one} is in error itself, by correction {wrong[one]}")


def leave_work(conn: Connection, entry: int) -> None:
    """What the judge owes to a correction, or to its retraction."""
    conn.execute(SQL["leave_work"], {"entry": entry})
    wake_judge(conn)

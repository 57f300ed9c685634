"""Client ids of the MqttSource: stable, leased, adopted and drained when their worker is gone.

The broker keeps messages for a client id while nobody is connected under it. So a client id outlives its
worker: the next one that starts takes it over with what waits there, and a living worker adopts and drains
what nobody takes. Leases read the database's clock, as in ``positions``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devices.observation import moment
from tracking.store.database import Connection, queries
from tracking.store.positions import LEASE_S
from tracking.store.positions import SQL as POSITIONS

SQL: Final = queries("sessions")
SOURCE: Final = "mqtt"
"""The source whose positions these client ids are."""


class Session(NamedTuple):
    """A client id that a worker holds. The epoch is raised at each change of owner."""

    client_id: str
    epoch: int


def claim_session(conn: Connection, prefix: str, worker: str, *, lease_s: float = LEASE_S) -> Session:
    """Take a client id that nobody holds, those with messages waiting first; else make ``prefix`` and a
    number.
    """
    who = {"prefix": prefix, "worker": worker, "lease_s": lease_s}
    conn.execute(POSITIONS["take_up"], {"source": SOURCE})
    row = conn.execute(SQL["claim_free"], who).fetchone()
    while row is None:  # someone else made the same number at the same moment: the next one
        row = conn.execute(SQL["make_session"], who).fetchone()
    return Session._make(row)


def keep_sessions(conn: Connection, worker: str, *, lease_s: float = LEASE_S) -> list[Session]:
    """Renew what the worker holds. A session that is missing from the answer has been adopted: disconnect
    it.
    """
    conn.execute(POSITIONS["take_up"], {"source": SOURCE})
    return [Session._make(row) for row in conn.execute(SQL["renew"], {"worker": worker, "lease_s": lease_s})]


def adopt_session(conn: Connection, prefix: str, worker: str, *, lease_s: float = LEASE_S) -> Session | None:
    """Take over one client id whose worker is gone before its session was drained; None when there is
    none.
    """
    row = conn.execute(SQL["adopt"], {"prefix": prefix, "worker": worker, "lease_s": lease_s}).fetchone()
    return Session._make(row) if row else None


def mark_sessions_through(
    conn: Connection, worker: str, sessions: Sequence[Session], through_us: int
) -> None:
    """Everything that the broker gave these sessions up to this time is recorded."""
    conn.execute(
        SQL["mark_through"],
        {
            "worker": worker,
            "client_ids": [session.client_id for session in sessions],
            "epochs": [session.epoch for session in sessions],
            "through": moment(through_us),
        },
    )


def mark_drained(conn: Connection, worker: str, session: Session) -> bool:
    """The session is empty and its subscription ended: it holds the watermark back no longer, and its client
    id is free. False when the session was lost meanwhile.
    """
    row = conn.execute(SQL["mark_drained"], {"worker": worker, **session._asdict()}).fetchone()
    return row is not None


def release_sessions(conn: Connection, worker: str) -> None:
    """On an orderly stop: the sessions still receive, so others may adopt them at once."""
    conn.execute(SQL["release"], {"worker": worker})

"""Who may connect: devices and their hashed secrets, for brokers and the auth callout."""

from __future__ import annotations

from typing import Final, NamedTuple

from tracking.store.database import Connection, queries

SQL: Final = queries("access")


class Login(NamedTuple):
    """What a registered client is and the secrets that hold, hashed by one scheme, the newest last."""

    kind: str
    hashes: tuple[str, ...]


def logins(conn: Connection, scheme: str) -> dict[str, Login]:
    """Every client that may connect, by name (``SIP/TRK-001``)."""
    found: dict[str, Login] = {}
    for name, kind, hashed in conn.execute(SQL["logins"], {"scheme": scheme}):
        known = found.get(name)
        found[name] = Login(kind, (*known.hashes, hashed) if known else (hashed,))
    return found


def login_of(conn: Connection, name: str, scheme: str) -> Login | None:
    """The same for one client; None when it may not connect."""
    park, _, code = name.partition("/")
    rows = conn.execute(SQL["login_of"], {"park": park, "code": code, "scheme": scheme}).fetchall()
    return Login(rows[0][0], tuple(hashed for _, hashed in rows)) if rows else None


def revision(conn: Connection) -> int:
    """A number that is raised whenever somebody registers, revokes or rotates."""
    row = conn.execute(SQL["revision"]).fetchone()
    assert row is not None  # the migration made the row
    return int(row[0])

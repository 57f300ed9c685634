"""Who may connect: devices and their hashed secrets, for brokers and the auth callout."""

from __future__ import annotations

from typing import Final

from tracking.store.database import Connection, queries

SQL: Final = queries("access")


def secrets(conn: Connection, scheme: str) -> dict[str, tuple[str, ...]]:
    """Every device that may speak, by name (``SIP/TRK-001``), with the secrets that hold, hashed by a
    scheme."""
    found: dict[str, tuple[str, ...]] = {}
    for name, hashed in conn.execute(SQL["secrets"], {"scheme": scheme}):
        found[name] = (*found.get(name, ()), hashed)
    return found


def secrets_of(conn: Connection, name: str, scheme: str) -> tuple[str, ...]:
    """The same for one device; empty when it may not speak."""
    park, _, code = name.partition("/")
    rows = conn.execute(SQL["secrets_of"], {"park": park, "code": code, "scheme": scheme})
    return tuple(hashed for (hashed,) in rows)


def revision(conn: Connection) -> int:
    """A number that is raised whenever somebody registers, revokes or rotates."""
    row = conn.execute(SQL["revision"]).fetchone()
    assert row is not None  # the migration made the row
    return int(row[0])

"""The devices that may connect, held in memory so that thousands can reconnect at once, also without the
database.

The whole list is read at the start and whenever the registry's revision moves. Who isn't in it, or whose
secret doesn't match, is looked up once more by name: a device that was registered a moment ago gets in at
once.

A park whose uplink is cut must let its own devices in all the same, also after its server was started anew:
there the list is kept in a file, too (hashes only, for its owner alone).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import psycopg
import structlog

from gateway.database_link import DatabaseLink
from tracking.store import access
from tracking.store.access import Login
from tracking.store.credentials import SHA256, matches_sha256

log = structlog.get_logger()


class KnownDevices:
    """Names and hashed secrets, with the revision at which they were read.

    Args:
        dsn: of the database.
        park: the only park whose devices are let in; None: all.
        kept: file that keeps the list; None: memory is enough.
    """

    def __init__(self, dsn: str, *, park: str | None = None, kept: Path | None = None) -> None:
        self._link = DatabaseLink(dsn, "bondwatch-access")
        self._prefix = "" if park is None else f"{park}/"
        self._kept = kept
        self._logins: dict[str, Login] = {}
        self._revision = -1

    def __contains__(self, name: object) -> bool:
        return name in self._logins

    def __len__(self) -> int:
        return len(self._logins)

    async def begin(self) -> None:
        """Read the list for the first time: from the file when the database can't be asked.

        Raises:
            psycopg.OperationalError: neither is there.
        """
        try:
            await self.refresh()
        except psycopg.OperationalError as error:
            if self._kept is None or not self._kept.exists():
                raise
            self._logins = msgspec.msgpack.decode(self._kept.read_bytes(), type=dict[str, Login])
            log.warning("access_from_file", devices=len(self._logins), error=str(error).strip())

    async def refresh(self) -> frozenset[str]:
        """Read the list anew if it has changed.

        Returns:
            The devices that were known before and whose secret no longer holds.

        Raises:
            psycopg.OperationalError: the database can't be asked; what was known stays known.
        """
        revision = await self._link.ask(access.revision)
        if revision == self._revision:
            return frozenset()
        everyone = await self._link.ask(lambda conn: access.logins(conn, SHA256))
        found = {name: login for name, login in everyone.items() if name.startswith(self._prefix)}
        gone = frozenset(name for name, held in self._logins.items() if found.get(name) != held)
        self._logins, self._revision = found, revision
        self._keep()
        return gone

    async def admits(self, name: str, secret: str) -> bool:
        """Whether this is a device that may speak, and its secret."""
        if self._matches(name, secret):
            return True
        if not name.startswith(self._prefix):
            return False
        try:
            found = await self._link.ask(lambda conn: access.login_of(conn, name, SHA256))
        except psycopg.OperationalError as error:
            log.warning("device_not_looked_up", device=name, error=str(error).strip())
            return False
        if found is None:
            self._logins.pop(name, None)
        else:
            self._logins[name] = found
        return self._matches(name, secret)

    def kind(self, name: str) -> str:
        """What an admitted client was registered as."""
        return self._logins[name].kind

    async def close(self) -> None:
        """Disconnect from the database."""
        await self._link.close()

    def _keep(self) -> None:
        if self._kept is None:
            return
        draft = self._kept.with_name(f".{self._kept.name}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.msgpack.encode(self._logins))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._kept)

    def _matches(self, name: str, secret: str) -> bool:
        login = self._logins.get(name)
        return login is not None and any(matches_sha256(secret, hashed) for hashed in login.hashes)

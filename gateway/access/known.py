"""The devices that may connect, held in memory so that thousands can reconnect at once, also without the
database.

The whole list is read at the start and whenever the registry's revision moves. Who isn't in it, or whose
secret doesn't match, is looked up once more by name: a device that was registered a moment ago gets in at
once.
"""

from __future__ import annotations

import psycopg
import structlog

from gateway.database_link import DatabaseLink
from tracking.store import access
from tracking.store.access import Login
from tracking.store.credentials import SHA256, matches_sha256

log = structlog.get_logger()


class KnownDevices:
    """Names and hashed secrets, with the revision at which they were read."""

    def __init__(self, dsn: str) -> None:
        self._link = DatabaseLink(dsn, "bondwatch-access")
        self._logins: dict[str, Login] = {}
        self._revision = -1

    def __contains__(self, name: object) -> bool:
        return name in self._logins

    def __len__(self) -> int:
        return len(self._logins)

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
        found = await self._link.ask(lambda conn: access.logins(conn, SHA256))
        gone = frozenset(name for name, held in self._logins.items() if found.get(name) != held)
        self._logins, self._revision = found, revision
        return gone

    async def admits(self, name: str, secret: str) -> bool:
        """Whether this is a device that may speak, and its secret."""
        if self._matches(name, secret):
            return True
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

    def _matches(self, name: str, secret: str) -> bool:
        login = self._logins.get(name)
        return login is not None and any(matches_sha256(secret, hashed) for hashed in login.hashes)

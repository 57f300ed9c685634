"""Which user the database runs as. PostgreSQL refuses to run as root, so root hands it to another."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.problem import Problem

# The first that the machine has. No account is created: that is the administrator's to decide.
CANDIDATES: Final = ("bondwatch", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of this machine, as numbers."""

    uid: int
    gid: int
    name: str

    @property
    def is_us(self) -> bool:
        """Whether no switch is needed."""
        return self.uid == os.geteuid()

    def switch(self) -> dict[str, Any]:
        """Arguments for ``subprocess`` that run a child as this user, in no other groups."""
        return {} if self.is_us else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give one of our own paths to this user."""
        if not self.is_us:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may(self, path: Path, bit: int) -> bool:
        """Whether the path's mode gives this user ``bit`` (os.R_OK, os.W_OK, os.X_OK)."""
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
        return bool(stat.S_IMODE(found.st_mode) >> shift & bit)

    def reaches(self, path: Path) -> bool:
        """Whether this user may pass through every directory above ``path``."""
        return all(self.may(folder, os.X_OK) for folder in path.resolve().parents)


def ours() -> Account:
    """The user we are."""
    uid = os.geteuid()
    try:
        return Account(uid, os.getegid(), pwd.getpwuid(uid).pw_name)
    except KeyError:
        raise Problem(
            f"user id {uid} has no name on this machine, and PostgreSQL asks for one",
            f"add a line to /etc/passwd, e.g.  bondwatch:x:{uid}:{os.getegid()}::/:/bin/false",
        ) from None


def for_database(data: Path) -> Account:
    """Who runs the database: we, unless we are root; then who owns ``data``, else an unprivileged user.

    Raises:
        Problem: root, on a machine without any unprivileged user that we know.
    """
    if os.geteuid() != 0:
        return ours()
    if data.exists() and (owner := data.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise Problem(
        "PostgreSQL can't run as root, and this machine has no user nobody, postgres or bondwatch",
        "create one (useradd --system bondwatch), or run Bondwatch as an ordinary user",
    )

"""Password and ACL files for Mosquitto, from the registry.

Both are written whole, under another name first, so that Mosquitto never reads half a file; it reads them
anew on SIGHUP and then disconnects whoever may no longer connect. Secrets stand in the password file only as
salted PBKDF2 hashes (``$7$``, Mosquitto 2.0 and later). One user of ours records and relays, with the rights
of both services.

Source: mosquitto.conf(5), ``password_file`` and ``acl_file``; mosquitto_passwd(1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from devices.rights import SERVICES, Rights, mosquitto_acl, rights
from tracking.store.access import Login

USERS_FILE: Final = "passwords"
ACL_FILE: Final = "acl"


class Files(Struct, frozen=True):
    """What Mosquitto is to read."""

    passwords: str
    acl: str


def render(logins: Mapping[str, Login], service: str, service_hash: str | None) -> Files:
    """The text of both files.

    Args:
        logins: clients that may connect, by name, their secrets hashed by the scheme ``mosquitto``. Mosquitto
            knows one password a user: the newest holds.
        service: user name of our own processes at this broker.
        service_hash: their hashed password; None leaves them out, for a broker that knows them otherwise.
    """
    known = {name: login.hashes[-1] for name, login in sorted(logins.items())}
    holders = [rights(name, logins[name].kind) for name in known]
    if service_hash is not None:
        known[service] = service_hash
        holders.append(service_rights(service))
    passwords = "".join(f"{name}:{hashed}\n" for name, hashed in known.items())
    return Files(passwords, mosquitto_acl(holders))


def service_rights(name: str) -> Rights:
    """What the user of our processes may do: record and relay."""
    services = SERVICES.values()
    return Rights(
        name,
        publish=tuple(topic for service in services for topic in service.publish),
        subscribe=tuple(topic for service in services for topic in service.subscribe),
    )


def write(files: Files, directory: Path) -> bool:
    """Put both files in place, readable by the directory's owner alone. False: they stood there already.

    Raises:
        OSError: the directory can't be written.
    """
    changed = False
    for name, text in ((USERS_FILE, files.passwords), (ACL_FILE, files.acl)):
        changed |= _replace(directory / name, text)
    return changed


def _replace(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        if os.geteuid() == 0:  # Mosquitto gives up root before it reads them again
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    draft.rename(path)
    return True

"""Device secrets: made here, shown once, kept only as hashes.

A secret is 256 random bits, so there is nothing to guess and a fast hash is sound: a slow one (argon2,
scrypt) defends weak passwords at the price of seconds when thousands of devices reconnect at once. Each
secret is kept under two schemes, because each broker must be able to check it without us holding the
plain text:

- ``sha256``: ``hex(salt) $ hex(SHA-256(salt || secret))``, checked by the gateway for NATS.
- ``mosquitto``: the line of Mosquitto's password file, ``$7$iterations$salt$hash`` (PBKDF2-HMAC-SHA512).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final

from tracking.store.database import Connection
from tracking.store.registry import SQL

SHA256: Final = "sha256"
MOSQUITTO: Final = "mosquitto"
_MOSQUITTO_ITERATIONS: Final = 101  # Mosquitto's own default


def new_secret() -> str:
    """256 random bits as text that survives any configuration file."""
    return secrets.token_urlsafe(32)


def issue(conn: Connection, device_id: int, at: datetime) -> str:
    """Give a device a new secret; what it had before no longer holds.

    Returns:
        The plain secret, to be shown once.
    """
    secret = new_secret()
    conn.execute(SQL["revoke_credentials"], {"device_id": device_id, "at": at})
    for scheme, hashed in ((SHA256, hash_sha256(secret)), (MOSQUITTO, hash_mosquitto(secret))):
        row = {"device_id": device_id, "scheme": scheme, "hash": hashed, "created_at": at}
        conn.execute(SQL["add_credential"], row)
    return secret


def hash_sha256(secret: str) -> str:
    """The ``sha256`` form of a secret."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.sha256(salt + secret.encode()).hexdigest()}"


def hash_mosquitto(secret: str) -> str:
    """The ``mosquitto`` form of a secret."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _MOSQUITTO_ITERATIONS)
    return f"$7${_MOSQUITTO_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def matches_sha256(secret: str, hashed: str) -> bool:
    """Whether a secret is the one whose ``sha256`` form is kept, in constant time."""
    salt, _, digest = hashed.partition("$")
    found = hashlib.sha256(bytes.fromhex(salt) + secret.encode()).hexdigest()
    return hmac.compare_digest(found, digest)


def matches_mosquitto(secret: str, hashed: str) -> bool:
    """Whether a secret is the one whose ``mosquitto`` form is kept, in constant time."""
    try:
        _, scheme, iterations, salt, digest = hashed.split("$")
        found = hashlib.pbkdf2_hmac("sha512", secret.encode(), base64.b64decode(salt), int(iterations))
        return scheme == "7" and hmac.compare_digest(found, base64.b64decode(digest))
    except ValueError:
        return False

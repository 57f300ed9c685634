"""Signed tree heads: what the log was at a moment, in words that anyone can keep and check.

The signature (Ed25519) stands over the canonical JSON of size, root, moment and key. A key is named by the
SHA-256 of its 32 public bytes.

Source: RFC 9162, section 4.10 (signed tree head), in JSON of our own; RFC 8032 (Ed25519).
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from devices.canonical import canonical

FORMAT: Final = "bondwatch checkpoint 1"


class Checkpoint(Struct, frozen=True):
    """A signed tree head.

    Attributes:
        size: leaves in the tree.
        root: its Merkle tree hash.
        made_at: when it was signed.
        key_id: by which key.
        signature: over ``text``.
    """

    size: int
    root: bytes
    made_at: datetime
    key_id: str
    signature: bytes = b""

    @property
    def text(self) -> bytes:
        """What is signed."""
        return canonical(
            {
                "format": FORMAT,
                "key": self.key_id,
                "made_at": self.made_at,
                "root": self.root,
                "size": self.size,
            }
        )

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether the signature is that of the key it names, and this is that key."""
        if self.key_id != key_id(public_key):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(self.signature, self.text)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """Signs tree heads.

    Args:
        seed: the 32 secret bytes of an Ed25519 key.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()
        self.key_id = key_id(self.public_key)

    def sign(self, size: int, root: bytes, made_at: datetime) -> Checkpoint:
        """A checkpoint of a tree."""
        unsigned = Checkpoint(size, root, made_at, self.key_id)
        return Checkpoint(size, root, made_at, self.key_id, self.sign_text(unsigned.text))

    def sign_text(self, text: bytes) -> bytes:
        """The signature over any text, 64 bytes."""
        return self._key.sign(text)


def key_id(public_key: bytes) -> str:
    """A public key's name: the SHA-256 of its 32 bytes, in hexadecimal."""
    return sha256(public_key).hexdigest()

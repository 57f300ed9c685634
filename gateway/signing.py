"""The key that signs the log's checkpoints and certificates: a file among the secrets."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from gateway.embedded.home import Home
from gateway.problem import Problem
from tracking.domain.ledger.checkpoint import Signer

SIGNING_KEY: Final = "log_signing_key"
SEED_BYTES: Final = 32


def signer(home: Home) -> Signer:
    """Signs with the log's key.

    Raises:
        Problem: the file doesn't hold a key.
    """
    with suppress(ValueError):
        seed = bytes.fromhex(home.secret(SIGNING_KEY))
        if len(seed) == SEED_BYTES:
            return Signer(seed)
    raise Problem(
        f"{home.secret_file(SIGNING_KEY)} isn't a key",
        "it must hold 32 bytes in hexadecimal; see docs/log.md",
    )


def signer_at_hand(home: Home) -> Signer | None:
    """Signs with the log's key, where this machine has it."""
    return signer(home) if home.secret_file(SIGNING_KEY).exists() else None

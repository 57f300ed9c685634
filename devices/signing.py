"""What the device of a handover signs, so that its word can't be another's.

Signed is the canonical JSON of the handover without its signature, together with what names the event, so
that a signature is good for this one event alone:

    {"device":"SIP/HH-7","from_party":"…","role":"giver","run":7,"seq":41,"thing":"…",
     "time":"2026-03-10T00:41:00.000000Z","to_party":"…","type":"handover"}

Fields that the handover doesn't have are left out. The signature is Ed25519 in base64.

Source: RFC 8785 (canonical JSON), RFC 8032 (Ed25519).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

from devices.canonical import canonical
from devices.observation import Handover

Sign: TypeAlias = Callable[[bytes], bytes]
"""Signs a text with the device's key: ``Ed25519PrivateKey.sign`` of `cryptography`, or a secure element's."""


def handover_text(fact: Handover, *, device: str, run: int, seq: int, time: datetime) -> bytes:
    """What the device of a handover signs."""
    said = {name: value for name, value in msgspec.to_builtins(fact).items() if value is not None}
    said.pop("signature", None)
    return canonical(said | {"device": device, "run": run, "seq": seq, "time": time})


def signed(fact: Handover, sign: Sign, *, device: str, run: int, seq: int, time: datetime) -> Handover:
    """The handover with its signature."""
    text = handover_text(fact, device=device, run=run, seq=seq, time=time)
    return msgspec.structs.replace(fact, signature=b64encode(sign(text)).decode())

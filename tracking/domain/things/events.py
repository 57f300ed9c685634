"""One containment event: a thing goes into another, or comes out.

Events of scanners are *observed*; those that people and partners send as aggregations are *reported*. Both
are folded, and every interval says which it rests on.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct


class Change(StrEnum):
    """What an event says of the thing."""

    INTO = "in"
    OUT = "out"


CHANGES: Final[dict[str, Change]] = {
    "loading": Change.INTO,
    "packing": Change.INTO,
    "stuffing": Change.INTO,
    "storing": Change.INTO,
    "unloading": Change.OUT,
    "unpacking": Change.OUT,
    "unstuffing": Change.OUT,
    "ADD": Change.INTO,
    "OBSERVE": Change.INTO,
    "DELETE": Change.OUT,
}
"""Actions of scans (CBV business steps, and our stuffing) and of EPCIS aggregations. What was observed inside
is inside: the first that we hear of it may well be that. What is stored is inside only where the scan names a
parent, a rack or a cage that is itself a thing; without one it is a word about a place (``placing``)."""


class Event(Struct, frozen=True):
    """A thing goes into a parent, or comes out.

    Attributes:
        time: when (UTC).
        action: the word used, one of ``CHANGES``.
        parent: URI of what it goes into or comes out of; None: out of whatever it is in.
        quantity: how many units of it; None: all of it.
        device: the scanner's name, ``SIP/SC-01``; empty for what was reported.
        run: of the observation; -1 for what was reported.
        seq: of the observation; -1 for what was reported.
        by: who reported it; empty for what was observed.
    """

    time: datetime
    action: str
    parent: str | None
    quantity: float | None = None
    device: str = ""
    run: int = -1
    seq: int = -1
    by: str = ""

    @property
    def change(self) -> Change:
        """Into, or out of."""
        return CHANGES[self.action]

    @property
    def order(self) -> tuple[Any, ...]:
        """The total order: time, device, run, number; then what is said, so that arrival never matters."""
        said = (self.action, self.parent or "", -1.0 if self.quantity is None else self.quantity, self.by)
        return (self.time, self.device, self.run, self.seq, *said)

    def cite(self) -> dict[str, Any]:
        """The event as evidence, ready for JSON."""
        named = {"device": self.device, "run": self.run, "seq": self.seq} if self.device else {"by": self.by}
        return {
            "containment": self.action,
            "time": self.time.isoformat(),
            "parent": self.parent,
            "quantity": self.quantity,
            "source": "observed" if self.device else "reported",
        } | named

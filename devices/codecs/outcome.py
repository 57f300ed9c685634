"""What a codec answers: observations, events that can't be taken, or that the payload can't be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from devices.observation import Datum, Observation


class BadEvent(Struct, frozen=True):
    """One event of a readable payload that can't be taken, now or ever. Its neighbours are not concerned.

    Attributes:
        reason: a word of ``devices.messages.REJECTION_REASONS``.
        detail: what is wrong, for a person.
        raw: the event's own bytes, exactly as sent.
        run: the event's run, where its identity could be read; the rejected number then counts as heard.
        seq: the event's number, where its identity could be read.
        id: the event's own id, where it has no counter.
    """

    reason: str
    detail: str
    raw: bytes
    run: int | None = None
    seq: int | None = None
    id: str | None = None


class Unreadable(Exception):
    """The payload as a whole can't be read: one rejection, and nothing else of it.

    Attributes:
        reason: a word of ``devices.messages.REJECTION_REASONS``.
        detail: what is wrong, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


Codec: TypeAlias = Callable[[bytes, Datum], list[Observation | BadEvent]]
"""(payload, the device's registered datum) -> every event once, in payload order. Raises ``Unreadable``."""

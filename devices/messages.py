"""The messages that are not events: receipts, commands, alerts, presence, and the words of a rejection.

JSON, UTF-8. Times are RFC 3339 in UTC. Whoever reads ignores unknown fields: either side may be newer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field
from msgspec.json import Decoder, Encoder

REJECTION_REASONS: Final[dict[str, str]] = {
    "unreadable": "The payload is not UTF-8 JSON: neither one event nor an array of 1 to 1000.",
    "too_large": "The payload is over 1 MiB, or its array over 1000 events. Send it in smaller parts.",
    "schema": "A field is missing, of the wrong type, or out of its range.",
    "unknown_type": "The event has no type, or one that this version does not know.",
    "identity_missing": "The event has neither seq nor id, so a repeat could not be recognised.",
    "time_invalid": "time is missing, has no offset, is no RFC 3339 time and no Unix milliseconds.",
    "future": "time is more than 5 minutes after the broker received the event. Set the clock.",
    "too_old": "time is before the oldest time that is still taken (400 days by default).",
    "seq_reused": "The same run and seq were already recorded with other content.",
    "unknown_device": "No device of that name is registered.",
    "revoked_device": "The device is registered, but no longer allowed to report.",
    "topic_mismatch": (
        "The topic is no device's events topic, the event says that another device sent it, or it came"
        " through another park's leaf node."
    ),
    "poison": "Storing the event failed for a reason that lies in the event itself; kept for an engineer.",
}
"""Stable word -> what it means and, where the device can do something, what to do."""

Severity = Literal["critical", "major", "minor", "info"]


class Refusal(Struct, frozen=True, omit_defaults=True):
    """One event that was not taken, and never will be as it is: the device need not keep it."""

    reason: str
    seq: int | None = None
    id: str | None = None
    detail: str | None = None


class Receipt(Struct, frozen=True, omit_defaults=True):
    """The gateway's word to a device: these events are committed.

    Attributes:
        run: the run that the numbers belong to; -1 for events named by ``id``.
        committed: closed intervals of sequence numbers.
        rejected: events that were refused, with the reason.
        ids: committed events that are named by ``id``.
    """

    run: int
    committed: list[tuple[int, int]]
    rejected: list[Refusal]
    ids: list[str] = field(default_factory=list)


class Command(Struct, frozen=True, omit_defaults=True):
    """What a device is asked to do; it answers with a ``result`` event that carries the command's id.

    Attributes:
        id: unique; the same id again is the same command, delivered twice.
        command: a word of ``COMMANDS``; a device answers ``ok: false`` to one that it doesn't know.
        args: what the command needs.
        expires: not to be done after this moment, aware UTC; None: never too late.
    """

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    command: Annotated[str, Meta(min_length=1, max_length=64)]
    args: dict[str, Any] = field(default_factory=dict)
    expires: Annotated[datetime, Meta(tz=True)] | None = None


class Resend(Struct, frozen=True):
    """The ``args`` of the command ``resend``: closed intervals of a run that the gateway has not heard."""

    run: int
    missing: list[tuple[int, int]]


class ArrivalKey(Struct, frozen=True):
    """Which of its reports a gate is told about: run and number of its ``gate`` event."""

    run: int
    seq: int


class GateReason(Struct, frozen=True):
    """One thing that made a decision what it is; ``text`` is for a person at the gate."""

    code: str
    text: str
    severity: Severity


class GateDecision(Struct, frozen=True):
    """The ``args`` of the command ``decision``: what the barrier does about a vehicle.

    Attributes:
        arrival: the report that is answered.
        decision: let it through, keep it, or have a person look at it.
        reasons: the gravest first; none where nothing speaks against the vehicle.
        pass_number: the pass that it used or tried.
    """

    arrival: ArrivalKey
    decision: Literal["open", "hold", "inspect"]
    reasons: list[GateReason] = field(default_factory=list)
    pass_number: str | None = field(name="pass", default=None)


Fallback: TypeAlias = Literal["hold", "inspect", "open", "passes"]


class KeptPass(Struct, frozen=True):
    """An approved pass that nobody has used."""

    number: str
    vehicle: str
    direction: Literal["in", "out"]


class KeptPasses(Struct, frozen=True):
    """The ``args`` of the command ``passes``: what a gate needs when nobody answers it.

    Attributes:
        zone: that the gate leads into.
        as_of: of the list; an older one doesn't replace a newer one.
        within_s: how long the gate waits for a decision.
        fallback: what it does then; ``passes``: open for a vehicle on one of these, else hold.
        passes: all of its zone that are approved, the newest first, up to a limit.
    """

    zone: str
    as_of: Annotated[datetime, Meta(tz=True)]
    within_s: float
    fallback: Fallback
    passes: list[KeptPass]


class Alert(Struct, frozen=True, omit_defaults=True):
    """A finding that a person must handle, for sirens, displays and integrations.

    Attributes:
        id: the finding's id; the same id again is the same alert with a newer state.
        rule: code of the rule that found it.
        severity: how bad.
        state: ``open``, ``closed``, or ``withdrawn`` by late data.
        park: code of the park.
        opened_at: the moment it began, in event time.
        closed_at: the moment it ended, in event time.
        shipment: number of the shipment concerned.
        device: natural name of the device concerned.
        text: one sentence for a display.
        detail: the rule's evidence.
    """

    id: str
    rule: str
    severity: Severity
    state: Literal["open", "closed", "withdrawn"]
    park: str
    opened_at: datetime
    text: str
    closed_at: datetime | None = None
    shipment: str | None = None
    device: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Presence(Struct, frozen=True, omit_defaults=True):
    """Whether a device is connected. Retained; ``offline`` is its last will."""

    state: Literal["online", "offline"]
    firmware: Annotated[str, Meta(max_length=64)] | None = None
    time: Annotated[datetime, Meta(tz=True)] | None = None


RESEND: Final = "resend"
DECISION: Final = "decision"
PASSES: Final = "passes"

COMMANDS: Final[dict[str, str]] = {
    RESEND: "Publish the missing events of the run again; those no longer held are given up.",
    DECISION: "For gates: let the vehicle through, hold it, or have it inspected; answer with what was done.",
    PASSES: "For gates: keep these approved passes, for the time in which nobody answers.",
}
"""Command -> what the device shall do."""

encode: Final = Encoder().encode
"""JSON bytes of any message of this module."""

decode_receipt: Final = Decoder(Receipt).decode
decode_command: Final = Decoder(Command).decode
decode_alert: Final = Decoder(Alert).decode
decode_presence: Final = Decoder(Presence).decode

"""What travels the road: one batch, and what each step has found out about it.

A load is made afresh for every attempt, so a step never meets what a failed attempt left behind. Most is
kept per device, because a device is what is locked, recognised, folded and answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as of
from hashlib import sha256
from typing import Final

from msgspec import Struct, field

from devices.observation import Observation
from gateway.pipeline.batch import Batch, Message
from gateway.pipeline.reference import Device, Reference
from tracking.domain.tracks import DeviceState, Milestone
from tracking.store.record import GapRow, NoteRow, RejectionRow, SnapshotRow, WorkRow

NATIVE: Final = "native"

NEVER_HEARD: Final = DeviceState()
"""What stands for a device's state until it is read. Nobody changes it."""


class Refused(Struct, frozen=True, gc=False):
    """A number or id that couldn't be taken, for the receipt. Numbers count as heard all the same.

    ``origin`` is the index of the message that it came in.
    """

    run: int
    seq: int
    id: str | None
    reason: str
    detail: str
    origin: int


class Replay(Struct, frozen=True):
    """What a batch of rejections that are tried again says about itself.

    Attributes:
        rejection_ids: the rejection that each of the batch's messages was, in order.
        trust_time: take the events' times as they stand, far ahead or long past.
    """

    rejection_ids: Sequence[int]
    trust_time: bool = False


class Heard(Struct):
    """Everything that one device says in a batch.

    Attributes:
        events: in order of arrival; from ``resolve`` on only those that are new.
        origins: the index of the message that each of them came in, parallel to ``events``.
        again: events that were recorded before: answered again, and nothing else.
        refused: numbers and ids that couldn't be taken.
        state: locked and read by ``resolve``, moved on by ``resolve`` (numbers) and ``fold`` (the track).
    """

    device: Device
    events: list[Observation] = []
    origins: list[int] = []
    again: list[Observation] = []
    refused: list[Refused] = []
    state: DeviceState = field(default_factory=lambda: NEVER_HEARD)


@dataclass(slots=True)
class Load:
    """A batch on the road, and what the steps have made of it.

    Attributes:
        now_us: when it was read; from ``resolve`` on, when its transaction began: ``recorded_at``. The steps
            know no other clock.
        poison: messages that broke an earlier attempt, by index, with what they broke it with.
        unknown: messages of no registered device, or through another park's leaf node, by index; set by
            ``decode``, rejected by ``admit``.
        heard: what each device says, by device id.
        rejections: by key, so that a repeat within the batch is one, too.
        refused_messages: messages of which at least one event couldn't be taken, by index.
        late_us: events from before this moment take the slow path into the record.
        reached: devices that were silent and are heard again, with the broker's time of the first message.
        sooner: due rows that stand, perhaps later than they now should; by device.
        late_events: new events that lie at or before their track's head: recorded, and left to a re-fold.
    """

    batch: Batch
    messages: Sequence[Message]
    reference: Reference
    now_us: int
    poison: Mapping[int, str] = of(default_factory=dict)
    replay: Replay | None = None

    unknown: list[int] = of(default_factory=list)
    heard: dict[int, Heard] = of(default_factory=dict)
    rejections: dict[bytes, RejectionRow] = of(default_factory=dict)
    refused_messages: set[int] = of(default_factory=set)
    notes: list[NoteRow] = of(default_factory=list)
    reached: dict[int, int] = of(default_factory=dict)
    late_us: int = 0
    late_events: int = 0
    opened_gaps: list[GapRow] = of(default_factory=list)
    filled_gaps: list[GapRow] = of(default_factory=list)
    milestones: list[tuple[int, Milestone]] = of(default_factory=list)
    snapshots: list[SnapshotRow] = of(default_factory=list)
    work: list[WorkRow] = of(default_factory=list)
    sooner: dict[int, WorkRow] = of(default_factory=dict)

    def heard_of(self, device: Device) -> Heard:
        """What this device says in the batch, to add to."""
        heard = self.heard.get(device.device_id)
        if heard is None:
            heard = self.heard[device.device_id] = Heard(device)
        return heard

    def times_us(self) -> list[int]:
        """The event times of everything that may be recorded."""
        return [event.time_us for heard in self.heard.values() for event in heard.events]

    def reject_message(self, index: int, reason: str, detail: str, device: Device | None = None) -> None:
        """Keep a message whole: nothing of it can be read or taken."""
        message = self.messages[index]
        self.refused_messages.add(index)
        key = message_key(message.topic, message.payload, message.leaf)
        self.rejections[key] = RejectionRow(
            key=key,
            topic=message.topic,
            payload=message.payload,
            properties=_storable(message.properties),
            reason=reason,
            detail=detail,
            device_id=device.device_id if device else None,
            run=None,
            seq=None,
            received_us=message.received_us,
            leaf=_storable_text(message.leaf),
        )

    def reject_event(
        self,
        index: int,
        device: Device,
        reason: str,
        detail: str,
        *,
        raw: bytes,
        run: int | None,
        seq: int | None,
        id: str | None,  # noqa: A002 - the wire's own word
    ) -> None:
        """Keep one event of a message. A dialect whose events can't be sent alone keeps the message
        whole."""
        message = self.messages[index]
        self.refused_messages.add(index)
        if run is not None and seq is not None:
            self.heard_of(device).refused.append(Refused(run, seq, id, reason, detail, index))
            key = event_key(message.topic, run, seq, raw)
        else:
            key = message_key(message.topic, raw, message.leaf)
        self.rejections[key] = RejectionRow(
            key=key,
            topic=message.topic,
            payload=raw if device.dialect == NATIVE else message.payload,
            properties=_storable(message.properties),
            reason=reason,
            detail=detail,
            device_id=device.device_id,
            run=run,
            seq=seq,
            received_us=message.received_us,
            leaf=_storable_text(message.leaf),
        )

    def reject_observation(
        self, index: int, device: Device, reason: str, detail: str, observation: Observation
    ) -> None:
        """Keep an event that could be read but can't be taken."""
        self.reject_event(
            index,
            device,
            reason,
            detail,
            raw=observation.raw,
            run=observation.run,
            seq=observation.seq,
            id=observation.id,
        )


def _storable(properties: Mapping[str, str]) -> dict[str, str]:
    """Properties as the database can hold them: its texts have no character U+0000."""
    return {_storable_text(name): _storable_text(text) for name, text in properties.items()}


def _storable_text(text: str) -> str:
    return text.replace("\0", "\ufffd")


def message_key(topic: str, payload: bytes, leaf: str = "") -> bytes:
    """The identity of a rejection without a number: the same bytes on the same topic, come the same way, are
    one rejection."""
    parts = (b"message", topic.encode(), payload, *((leaf.encode(),) if leaf else ()))
    return sha256(b"\x00".join(parts)).digest()


def event_key(topic: str, run: int, seq: int, raw: bytes) -> bytes:
    """The identity of a rejected event. Its bytes belong to it: a number sent with others is kept, too."""
    return sha256(b"\x00".join((b"event", topic.encode(), b"%d" % run, b"%d" % seq, raw))).digest()

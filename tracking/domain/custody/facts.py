"""Everything that a judging reads, as plain data.

Facts say nothing of how they arrived. Two gatherings of the same records are equal, whatever the order,
batching or repetition in which the records came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from tracking.domain.custody.terms import Terms
from tracking.domain.custody.told import Aboard, Document, Report
from tracking.domain.things.fold import Conflict

PRIMARY: Final = "primary"
SEAL: Final = "seal"
"""An e-seal, by its kind or by its role on the goods."""

READ_KINDS: Final = (
    "entered", "left", "crossed", "strayed", "returned", "silent", "heard", "stopped", "moved",
    "seal_locked", "seal_unlocked", "seal_cut", "seal_tampered", "jumped", "jump_settled",
    "datum_suspected", "datum_undetermined", "datum_cleared",
)  # fmt: skip
"""Kinds of milestones that some rule or the legs read; the gatherer brings no others."""

FORBIDDEN_KINDS: Final = frozenset({"layby_forbidden", "restricted"})
"""Kinds of zones where goods under customs control may not be, unless the terms name the zone."""


class Milestone(Struct, frozen=True):
    """A change in a device's track, as the first fold recorded it.

    Attributes:
        time: when it happened (UTC).
        kind: ``entered``, ``left``, ``crossed``, ``strayed``, ``returned``, ``silent``, ``heard`` and
            others.
        area: code of the zone or corridor, for the kinds that have one.
        detail: what the fold adds, by kind.
        at: (event time, run, seq) of the observation at which the fold knew it; run and seq are -1 for
            passing time.
    """

    time: datetime
    kind: str
    area: str | None
    detail: Mapping[str, Any]
    at: tuple[datetime, int, int]


class Silence(Struct, frozen=True):
    """No observation between two moments of a device's time.

    Attributes:
        last_heard: event time of the last observation before.
        heard: event time of the next one; None while there is none.
    """

    last_heard: datetime
    heard: datetime | None


class Sample(Struct, frozen=True, gc=False):
    """One value of a sensor.

    Attributes:
        time: event time.
        quantity: with its unit, ``temperature_c``; what is true or false (``door_open``) is 1 or 0.
        value: in that unit.
        run: of the observation.
        seq: of the observation.
    """

    time: datetime
    quantity: str
    value: float
    run: int
    seq: int


class Position(Struct, frozen=True, gc=False):
    """One fix, WGS-84 degrees; ``accuracy_m`` and ``speed_mps`` None where the device said nothing."""

    time: datetime
    lon: float
    lat: float
    accuracy_m: float | None
    speed_mps: float | None
    run: int
    seq: int


class MissingNumbers(Struct, frozen=True):
    """Sequence numbers of a device that never came, between two that did.

    Attributes:
        run: of the device.
        first: the first that is missing.
        last: the last that is missing.
        after: event time of the observation numbered before them.
        before: event time of the one numbered behind them.
    """

    run: int
    first: int
    last: int
    after: datetime
    before: datetime


class Reused(Struct, frozen=True):
    """A sequence number that came again with another content, so that one of the two isn't the device's.

    Attributes:
        device: its name.
        time: event time of the observation that is recorded under the number.
        run: of the device.
        seq: the number.
    """

    device: str
    time: datetime
    run: int
    seq: int


class Carriage(Struct, frozen=True, dict=True):
    """One device on the shipment's goods during [begins, ends).

    Attributes:
        device: its name, ``SIP/TRK-001``.
        role: ``primary`` gives the position; the others stand beside it.
        expected_every_s: how often the registration expects word, in seconds.
        begins: when it began to carry for this shipment (the later of attachment and loading).
        ends: when it stopped; None while it carries.
        last_heard: event time of the newest observation of the device, None if it never spoke.
        last_fix: event time of the newest position, None if it never gave one.
        milestones: in order of time; the newest before ``begins`` of every area, and of silence, tell how
            things stood when the carriage began.
        gaps: silences measured in the observations themselves, where a leg asks for more than milestones
            tell.
        leaving: zones that its newest fixes lie outside of, too few yet for ``left``: the last fix before
            those.
        moving_off: its newest fixes lie beyond the stop that it made, too few yet for ``moved``: the last fix
            before those; None where there are no such.
        kind: of the device: ``tracker``, ``sensor``, ``seal``, ``gate``, ``scanner`` and so on.
        thing: URI of what it is attached to.
        samples: what its sensors measured while it carried, in order of (time, quantity, run, seq), and of
            each quantity the newest value before.
        positions: its fixes while it carried, only where another device's are to be compared with them.
        missing: sequence numbers that never came.
        calibrated_at: when its sensors were last calibrated; None: nobody has said so.
        is_aboard: the device is not on the goods themselves but on something that they were in.
    """

    device: str
    role: str
    expected_every_s: int
    begins: datetime
    ends: datetime | None
    last_heard: datetime | None
    last_fix: datetime | None
    milestones: tuple[Milestone, ...]
    gaps: tuple[Silence, ...] = ()
    leaving: Mapping[str, datetime] = {}
    moving_off: datetime | None = None
    kind: str = "tracker"
    thing: str = ""
    samples: tuple[Sample, ...] = ()
    positions: tuple[Position, ...] = ()
    missing: tuple[MissingNumbers, ...] = ()
    calibrated_at: datetime | None = None
    is_aboard: bool = False

    @property
    def is_seal(self) -> bool:
        """Whether it is an e-seal, whose silence and place rules of its own judge."""
        return SEAL in {self.kind, self.role}

    @cached_property
    def measured(self) -> Mapping[str, tuple[Sample, ...]]:
        """The samples by quantity, in order of time, one a moment; those from before it carried, too."""
        found: dict[str, dict[datetime, Sample]] = {}
        for sample in sorted(self.samples, key=lambda sample: (sample.time, sample.run, sample.seq)):
            if self.ends is None or sample.time < self.ends:
                found.setdefault(sample.quantity, {})[sample.time] = sample
        return {quantity: tuple(moments.values()) for quantity, moments in found.items()}


class GateWatch(Struct, frozen=True):
    """The device of a gate that matters to the terms: whether it could have told of a passage.

    Attributes:
        gate: code of the gate.
        zone: the zone that it leads into.
        device: name of its device.
        expected_every_s: how often it is expected to say something, seconds.
        last_heard: event time of its newest observation, None if it never spoke.
        milestones: its ``silent`` and ``heard``.
    """

    gate: str
    zone: str
    device: str
    expected_every_s: int
    last_heard: datetime | None
    milestones: tuple[Milestone, ...]


class AreaRevision(Struct, frozen=True):
    """What a zone or corridor was during [valid_from, valid_to).

    Attributes:
        code: its code.
        kind: ``cbz``, ``port``, ``layby_forbidden``, ``restricted``, ``corridor`` and so on.
        bonded: goods under customs control may be kept there.
        parent: the zone around it.
        revision: number of the revision.
        properties: everything else that is known of it: a gate's ``lane`` and ``direction``, a corridor's
            ``mode``, ``allowed_stops`` and ``max_transit_h``, a store's ``temp_profile``.
        lon: of its middle, WGS-84 degrees; of gates only.
        lat: of its middle, WGS-84 degrees; of gates only.
    """

    code: str
    kind: str
    bonded: bool
    parent: str | None
    revision: int
    valid_from: datetime
    valid_to: datetime | None = None
    properties: Mapping[str, Any] = {}
    lon: float | None = None
    lat: float | None = None


class TermsRevision(Struct, frozen=True):
    """Terms with the moment from which they hold."""

    revision: int
    valid_from: datetime
    terms: Terms


class Facts(Struct, frozen=True):
    """One shipment's facts.

    Attributes:
        shipment: its number.
        terms: all revisions; the newest whose moment has come holds.
        carriages: its devices.
        areas: revisions by code, of every area that a milestone or the terms name, and of the zones around
            them.
        closed_at: when the shipment was closed; nothing is held against anybody after it.
        aboard: what the shipment consists of and what carried that, in order of (begins, thing).
        reports: what devices said of all that, in their total order.
        documents: what people and partners said, in order of (time, entry).
        gates: the gates of every zone that the terms name.
        keys: public keys (Ed25519, 32 bytes) of the devices in ``reports`` that sign, by their name; all
            that were ever registered, because what was signed under an old key stays signed.
        reused: numbers of the shipment's devices, and of those in ``reports``, that came again with another
            content.
        conflicts: where what was scanned of its goods, or of what they are in, contradicts itself.
    """

    shipment: str
    terms: tuple[TermsRevision, ...]
    carriages: tuple[Carriage, ...]
    areas: Mapping[str, tuple[AreaRevision, ...]]
    closed_at: datetime | None = None
    aboard: tuple[Aboard, ...] = ()
    reports: tuple[Report, ...] = ()
    documents: tuple[Document, ...] = ()
    gates: tuple[GateWatch, ...] = ()
    keys: Mapping[str, tuple[bytes, ...]] = {}
    reused: tuple[Reused, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def terms_at(self, moment: datetime) -> TermsRevision | None:
        """The terms in force at a moment: a revision holds from its moment on, whatever older ones said."""
        held = [revision for revision in self.terms if revision.valid_from <= moment]
        return max(held, key=lambda revision: revision.revision) if held else None

    def area_at(self, code: str, moment: datetime) -> AreaRevision | None:
        """What an area was at a moment; of two revisions that claim it, the newer."""
        held = [
            revision
            for revision in self.areas.get(code, ())
            if revision.valid_from <= moment and (revision.valid_to is None or moment < revision.valid_to)
        ]
        return max(held, key=lambda revision: revision.revision) if held else None

    def around(self, code: str, moment: datetime) -> frozenset[str]:
        """The zones that contain this one at a moment, by their ``parent``."""
        found: set[str] = set()
        area = self.area_at(code, moment)
        while area is not None and area.parent is not None and area.parent not in found:
            found.add(area.parent)
            area = self.area_at(area.parent, moment)
        return frozenset(found)

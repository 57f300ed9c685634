"""A device on the goods: what it told, measured and missed while it was there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

PRIMARY: Final = "primary"
SEAL: Final = "seal"
"""An e-seal, by its kind or by its role on the goods."""


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

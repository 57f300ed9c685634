"""What the fold remembers of a device: what the future needs, so that equal states have equal futures.

Nothing in a track depends on arrival: no counters, no receive times, no "advanced until". Two tracks are
compared with ``==``; the bytes of ``encode`` are the same for equal states.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from devices.observation import Datum
from tracking.domain.tracks.ranges import Ranges

Key: TypeAlias = tuple[int, int, int]
"""The total order of a device's observations: (time_us, run, seq)."""

SealSaid: TypeAlias = tuple[str, str, str | None]
"""What a device said of a seal: its number, its state, the unlock order."""

BIRTH: Final[Key] = (-(1 << 63), -1, -1)
"""Before every observation."""


class Fix(Struct, frozen=True, array_like=True, gc=False):
    """A position that judged: its key, WGS-84 degrees, and the accuracy in metres taken for it."""

    time_us: int
    run: int
    seq: int
    lon: float
    lat: float
    accuracy_m: float

    @property
    def key(self) -> Key:
        """The observation it came from."""
        return (self.time_us, self.run, self.seq)


class Standing(IntEnum):
    """Where a device stands towards an area; areas not remembered stand at ``OUT``."""

    OUT = 0
    ENTERING = 1
    TOUCHED = 2
    IN = 3
    LEAVING = 4


class Presence(Struct, frozen=True, array_like=True):
    """A device's standing towards one area, and the run of fixes that may change it.

    Attributes:
        standing: never ``OUT``; an area that the device is out of is forgotten.
        count: fixes in the run, but those of ``TOUCHED``.
        first: first fix of the run.
        prior: the last usable fix before it; ``None`` when the run began the track.
        sure_us: the time that the run counts as evidence, microseconds.
        depth: how far beyond the border its last fix lies, in accuracies of that fix.
        after: the first fix of ``TOUCHED``: after fixes inside, one that isn't.
        is_new: that the device was never seen outside before the run, which so has no crossing to prove.
    """

    standing: Standing
    count: int = 0
    first: Fix | None = None
    prior: Fix | None = None
    sure_us: int = 0
    depth: float = 0.0
    after: Fix | None = None
    is_new: bool = False


class Held(Struct, frozen=True, array_like=True, gc=False):
    """A fix that was held back, with the speed that it states, metres per second."""

    fix: Fix
    speed_mps: float | None


class Doubt(Struct, frozen=True, array_like=True):
    """A run of fixes that may be in another datum.

    Attributes:
        datum: which.
        held: the fixes, thinned out; the first is always among them.
        count: how many there were.
        told: that they are too many to say that the device is still where it stood.
    """

    datum: Datum
    held: tuple[Held, ...]
    count: int
    told: bool = False


class Track(Struct, array_like=True):
    """The folded movement of one device.

    Attributes:
        heard: key of the newest observation; ``None`` before the first.
        silent_us: the moment the device fell silent, while it is.
        fix: the last fix that was used for judging.
        areas: standing by area code.
        anchor: where a stop is or may be.
        stopped: whether the stop at the anchor is confirmed.
        leaving: first of the fixes that may end the stop, ``leaving_count`` of them, and ``leaving_from``,
            the last fix before them.
        suspect: last of the fixes after an impossible jump, and ``suspect_count`` of them.
        seals: what it said last of the seals it met last, the newest at the end.
        doubt: fixes held back, because they may be in another datum.
        values: the last of each quantity that has a level, by quantity.
    """

    heard: Key | None = None
    silent_us: int | None = None
    fix: Fix | None = None
    areas: dict[str, Presence] = {}
    anchor: Fix | None = None
    stopped: bool = False
    leaving: Fix | None = None
    leaving_count: int = 0
    leaving_from: Fix | None = None
    suspect: Fix | None = None
    suspect_count: int = 0
    seals: tuple[SealSaid, ...] = ()
    doubt: Doubt | None = None
    values: dict[str, float] = {}

    @property
    def head(self) -> Key:
        """The newest moment folded. Observations must come after it; older ones need a re-fold."""
        if self.silent_us is not None:
            return (self.silent_us, -1, -1)
        return BIRTH if self.heard is None else self.heard

    def copy(self) -> Track:
        """A track that may be changed without changing this one."""
        return msgspec.structs.replace(self, areas=dict(self.areas), values=dict(self.values))

    def encode(self) -> bytes:
        """As msgpack, for a snapshot."""
        return _ENCODER.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Track:
        """From ``encode``.

        Raises:
            msgspec.ValidationError: when the bytes are of another layout.
        """
        return _TRACK_DECODER.decode(data)


class DeviceState(Struct, array_like=True):
    """Everything about a device in one value: what ``device_tracks.state`` holds.

    Attributes:
        ranges: sequence numbers that are in, by run.
        track: the fold's state.
        since_snapshot: observations folded since the last snapshot.
        due_armed: whether a row stands for the moment at which to look at the device again.
        contact_us: the broker's time of the newest message of a device that was silent then; ``None``: no
            such message has come since it was noted as unreachable. Only notes rest on it.
    """

    ranges: dict[int, Ranges] = {}
    track: Track = msgspec.field(default_factory=Track)
    since_snapshot: int = 0
    due_armed: bool = False
    contact_us: int | None = None

    def encode(self) -> bytes:
        """As msgpack; unlike a track's, its bytes follow the order in which runs were first heard."""
        return _STATE_ENCODER.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> DeviceState:
        """From ``encode``.

        Raises:
            msgspec.ValidationError: when the bytes are of another layout.
        """
        return _STATE_DECODER.decode(data)


_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_STATE_ENCODER: Final = msgspec.msgpack.Encoder()
_TRACK_DECODER: Final = msgspec.msgpack.Decoder(Track)
_STATE_DECODER: Final = msgspec.msgpack.Decoder(DeviceState)

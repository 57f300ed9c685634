"""A vehicle at a gate and the pass that it used or tried: what the fold of :mod:`.passing` yields.

Rules and the live decision read the same passages, so that neither compares plates or containers by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from devices.observation import Gate
from tracking.domain.custody.documents import GateOverride, PlateConfirmed
from tracking.domain.custody.passes import Pass
from tracking.domain.custody.plates import Likeness, PlateLimits
from tracking.domain.custody.told import Document, Report

Answer: TypeAlias = Literal["open", "hold", "inspect"]
"""What a barrier is told."""

ANSWERS: Final[Mapping[str, Answer]] = {"open": "open", "hold": "hold", "inspect": "inspect"}


class PassLimits(PlateLimits, frozen=True):
    """When a vehicle at a gate uses a pass.

    Attributes:
        min_ocr_conf: confidence, 0 to 1, from which a plate's reading counts.
        early_tolerance_min: minutes that a vehicle may come before its pass is approved.
    """

    early_tolerance_min: Annotated[float, Meta(ge=0, le=1440)] = 0.0


class Refusal(StrEnum):
    """Why a report did not use a pass."""

    NO_PAPER = "no_pass"
    OTHER_ZONE = "other_zone"
    OTHER_DIRECTION = "other_direction"
    OTHER_VEHICLE = "other_vehicle"
    DOUBTFUL_VEHICLE = "doubtful_vehicle"
    OTHER_CONTAINER = "other_container"
    NOT_APPROVED = "not_approved"
    DEAD = "deleted_or_void"
    USED = "already_used"
    HELD = "held"
    """An officer did not let it through."""


class GatePlace(Struct, frozen=True):
    """Where a report was made.

    Attributes:
        gate: code of the gate.
        zone: that it leads into; None: not known.
        zone_kind: of the zone.
        direction: that the gate is built for, ``in``, ``out`` or ``both``.
        lane: kind of its lanes: ``normal``, ``fast``, ``staff_no_goods``.
    """

    gate: str
    zone: str | None
    zone_kind: str | None = None
    direction: str | None = None
    lane: str | None = None


class Passage(Struct, frozen=True):
    """A vehicle at a gate, and what became of its pass.

    Attributes:
        reads: the gate's reports of it; all but the first repeat it.
        place: where.
        paper: the pass that it tried, as that was then; None: there is none for it.
        read: what the camera's own reading says of the vehicle on the pass.
        likeness: the same after an officer looked.
        refusals: why it did not use the pass; empty where it did.
        used_at: from when on it had used the pass.
        words: what officers said of it, in order of time.
    """

    reads: tuple[Report, ...]
    place: GatePlace
    paper: Pass | None
    read: Likeness
    likeness: Likeness
    refusals: frozenset[Refusal]
    used_at: datetime | None
    words: tuple[Document, ...]

    @property
    def report(self) -> Report:
        """The first report of it."""
        return self.reads[0]

    @property
    def time(self) -> datetime:
        """When it was at the gate."""
        return self.reads[0].time

    @property
    def gate(self) -> Gate:
        """What the gate said first."""
        return gate_of(self.reads[0])

    @property
    def weight_kg(self) -> float | None:
        """What it weighed, in whichever report says so."""
        return next((weight for read in self.reads if (weight := gate_of(read).weight_kg)), None)

    @property
    def let_through(self) -> datetime | None:
        """When an officer let it through against the system, or without a word of it."""
        word = override(self.words)
        if word is None or word[0] != "open":
            return None
        return max(word[1].time, self.time)

    @property
    def looked_at(self) -> datetime | None:
        """When an officer said which plate it has."""
        word = next((word for word in reversed(self.words) if isinstance(word.body, PlateConfirmed)), None)
        return None if word is None else max(word.time, self.time)


class PassBook(Struct, frozen=True):
    """All passes and all passages.

    Attributes:
        passes: by number, in their last state.
        passages: in the order of the reports.
    """

    passes: Mapping[str, Pass]
    passages: tuple[Passage, ...]

    def uses(self, number: str) -> tuple[Passage, ...]:
        """The passages that used a pass."""
        return tuple(
            passage
            for passage in self.passages
            if passage.used_at is not None and passage.paper is not None and passage.paper.number == number
        )


def gate_of(report: Report) -> Gate:
    """What a gate's report says."""
    assert isinstance(report.fact, Gate)
    return report.fact


def override(words: Sequence[Document]) -> tuple[Answer, Document] | None:
    """An officer's last decision."""
    for word in reversed(words):
        if isinstance(word.body, GateOverride):
            return ANSWERS[word.body.decision], word
    return None

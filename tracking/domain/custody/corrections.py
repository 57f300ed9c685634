"""What people say was observed wrongly. Pure.

An observation is never changed. A correction says that it is in error and counts no longer: no fold and no
rule reads it, from its event time on, as if it had only been counted as heard. A retraction says that the
correction was a mistake: the observation counts again. Both are facts with who, why and when.

Source: EPCIS 2.0, 7.4.1.2 (``errorDeclaration``: declaration time, reason, corrective event ids); CBV 2.0,
7.5 (error reasons).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

Reason: TypeAlias = Literal["did_not_occur", "incorrect_data"]
"""In the words of the CBV: nothing happened that it could be about; or something did, but not as it says."""


class Observed(Struct, frozen=True):
    """An observation by its name, as evidence has it.

    Attributes:
        device: ``SIP/TRK-001``.
        time: event time, UTC.
        run: of its number.
        seq: its number.
    """

    device: str
    time: datetime
    run: int
    seq: int

    def __str__(self) -> str:
        return f"{self.device} run {self.run} seq {self.seq} at {self.time.isoformat()}"


class Retraction(Struct, frozen=True):
    """A correction was a mistake itself.

    Attributes:
        entry: its number in the log.
        why: in somebody's words.
        by: who.
        recorded_at: when.
    """

    entry: int
    why: str
    by: str
    recorded_at: datetime


class Correction(Struct, frozen=True):
    """An observation is in error.

    Attributes:
        entry: its number in the log.
        observation: which.
        reason: of what sort the error is.
        why: in somebody's words.
        corrective: observations that tell it right, recorded as well. They count for themselves, and nothing
            is decided by their standing here.
        by: who declared it.
        recorded_at: when.
        retraction: None: it stands.
    """

    entry: int
    observation: Observed
    reason: Reason
    why: str
    corrective: tuple[Observed, ...]
    by: str
    recorded_at: datetime
    retraction: Retraction | None = None

    @property
    def stands(self) -> bool:
        """Whether the observation doesn't count because of it."""
        return self.retraction is None

    def says(self, other: Correction) -> bool:
        """Whether it says the same as another one, whenever that was."""
        mine, others = ((c.observation, c.reason, c.why, c.corrective, c.by) for c in (self, other))
        return mine == others

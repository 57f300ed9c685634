"""The life of a gate pass (核放单): its states as one table, and what moved it.

A pass is applied for, approved, and used at one gate or at two, or it is deleted or void. Papers move it
(somebody says so), and vehicles at gates do (:mod:`.passages`). What the table doesn't list is refused and
changes nothing: a pass that is void stays void, whatever anybody says after that.

Source: pass states (stucd) 0 to 6 of the bonded-zone system.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tracking.domain.custody.documents import GatePass, PassMoved, PassState, fields
from tracking.domain.custody.told import Document, Report


class PassEvent(StrEnum):
    """What can happen to a pass."""

    APPLIED = "applied"
    """Applied for, or applied for anew with other contents; or the approval was taken back."""
    APPROVED = "approved"
    GATE = "gate"
    """The vehicle passed the only gate."""
    FIRST_GATE = "first_gate"
    SECOND_GATE = "second_gate"
    DELETED = "deleted"
    VOIDED = "voided"


APPLIED, APPROVED, PASSED, FIRST_GATE, SECOND_GATE, DELETED, VOID = PassState

PASS_MOVES: Final = {
    (None, PassEvent.APPLIED): APPLIED,
    (APPLIED, PassEvent.APPLIED): APPLIED,
    (APPLIED, PassEvent.APPROVED): APPROVED,
    (APPLIED, PassEvent.DELETED): DELETED,
    (APPLIED, PassEvent.VOIDED): VOID,
    (APPROVED, PassEvent.APPLIED): APPLIED,
    (APPROVED, PassEvent.GATE): PASSED,
    (APPROVED, PassEvent.FIRST_GATE): FIRST_GATE,
    (APPROVED, PassEvent.DELETED): DELETED,
    (APPROVED, PassEvent.VOIDED): VOID,
    (FIRST_GATE, PassEvent.SECOND_GATE): SECOND_GATE,
    (FIRST_GATE, PassEvent.VOIDED): VOID,
}
"""Every move there is. ``None``: nobody has heard of the pass."""

WORDS: Final = {
    APPLIED: PassEvent.APPLIED,
    APPROVED: PassEvent.APPROVED,
    PASSED: PassEvent.GATE,
    FIRST_GATE: PassEvent.FIRST_GATE,
    SECOND_GATE: PassEvent.SECOND_GATE,
    DELETED: PassEvent.DELETED,
    VOID: PassEvent.VOIDED,
}
"""What it means that somebody says: the pass is now in this state."""

USED: Final = frozenset({PASSED, FIRST_GATE, SECOND_GATE})
"""States that a vehicle's passage leads to."""

DEAD: Final = frozenset({DELETED, VOID})
"""States in which nothing is asked of a pass any more."""


TOLD_WITHIN: Final = timedelta(minutes=10)
"""Others' word of a passage and a gate's report no further apart are of one passage; ours."""

SAME_PASSAGE: Final = timedelta(seconds=60)
"""A vehicle read again in its lane so soon after it used its pass stands there still; ours."""


class Use(Struct, frozen=True):
    """A gate's decision that a vehicle uses a pass; what is shown of passes rests on it, rules read reports.

    Attributes:
        time: when the vehicle was at the gate.
        gate: its code.
    """

    time: datetime
    gate: str


class Change(Struct, frozen=True):
    """A pass took a state at a moment, by a paper or by a vehicle at a gate."""

    time: datetime
    state: PassState
    by: Document | Report | Use


class Pass(Struct, frozen=True):
    """A pass as of some moment.

    Attributes:
        number: of the pass.
        paper: what was applied for last.
        body: what that says.
        changes: how it came to its state, in order of time.
        refused: what somebody said of it that the table doesn't know.
    """

    number: str
    paper: Document
    body: GatePass
    changes: tuple[Change, ...] = ()
    refused: tuple[Document, ...] = ()

    @property
    def state(self) -> PassState:
        """The state now."""
        return self.changes[-1].state

    @property
    def since(self) -> datetime:
        """When it took that state."""
        return self.changes[-1].time

    def state_at(self, moment: datetime) -> PassState | None:
        """The state at a moment; None before it was applied for."""
        held = [change.state for change in self.changes if change.time <= moment]
        return held[-1] if held else None

    def used_at(self) -> tuple[datetime, ...]:
        """The moments at which gates were passed with it, by reports and by others' words."""
        return tuple(change.time for change in self.changes if change.state in USED)

    def gate_event(self) -> PassEvent:
        """What a vehicle at a gate means to it now."""
        if self.state is FIRST_GATE:
            return PassEvent.SECOND_GATE
        return PassEvent.FIRST_GATE if self.body.two_gates else PassEvent.GATE

    def is_usable(self) -> bool:
        """Whether a vehicle at a gate may use it now."""
        return (self.state, self.gate_event()) in PASS_MOVES

    def used_by(self, user: Report | Use, time: datetime) -> Pass:
        """After a vehicle used it; it must be usable."""
        state = PASS_MOVES[self.state, self.gate_event()]
        return _changed(self, Change(time, state, user))

    def is_confirmed_by(self, user: Report | Use) -> bool:
        """Whether this is the vehicle whose passage somebody told of just before."""
        last = self.changes[-1]
        was_told = isinstance(last.by, Document) and last.state in USED
        return was_told and abs(user.time - last.time) <= TOLD_WITHIN

    def confirmed_by(self, user: Report | Use) -> Pass:
        """After the vehicle was reported whose passage somebody had told of already."""
        *before, last = self.changes
        return Pass(
            self.number, self.paper, self.body, (*before, Change(last.time, last.state, user)), self.refused
        )


def told(known: Pass | None, document: Document) -> Pass | None:
    """A pass after a paper about it. Saying again what holds changes nothing.

    Args:
        known: the pass so far; None: this is the first that is heard of it.
        document: a ``pass`` or a ``pass_state``.
    """
    body = document.body
    if isinstance(body, GatePass):
        return _applied(known, document, body)
    if known is None or not isinstance(body, PassMoved) or known.state is body.state:
        return known
    state = PASS_MOVES.get((known.state, WORDS[body.state]))
    if state is None:
        return Pass(known.number, known.paper, known.body, known.changes, (*known.refused, document))
    return _changed(known, Change(document.time, state, document))


def document_order(document: Document) -> tuple[datetime, int, int]:
    """The order in which papers count: of one moment, applications before states, states by their number."""
    body = document.body
    stage = list(PassState).index(body.state) + 1 if isinstance(body, PassMoved) else 0
    return (document.time, stage, document.entry)


def _applied(known: Pass | None, document: Document, body: GatePass) -> Pass | None:
    """Other contents need another approval, so an approved pass can't be given another vehicle unseen."""
    if known is None:
        first = Change(document.time, PASS_MOVES[None, PassEvent.APPLIED], document)
        return Pass(document.number, document, body, (first,))
    if fields(known.body) == fields(body):
        return known
    state = PASS_MOVES.get((known.state, PassEvent.APPLIED))
    if state is None:
        return Pass(known.number, known.paper, known.body, known.changes, (*known.refused, document))
    return Pass(
        known.number, document, body, (*known.changes, Change(document.time, state, document)), known.refused
    )


def _changed(known: Pass, change: Change) -> Pass:
    return Pass(known.number, known.paper, known.body, (*known.changes, change), known.refused)

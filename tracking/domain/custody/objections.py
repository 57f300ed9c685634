"""What speaks against a vehicle at a gate, one function a question; rules and the live decision ask the same.

Each answers with an :class:`Objection` or with None. An objection is a finding where the facts are there, and
undetermined where a person, a weighbridge or a camera has yet to say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from tracking.domain.custody import boxes, weighing
from tracking.domain.custody.documents import PassType
from tracking.domain.custody.gatehouse import NO_GOODS
from tracking.domain.custody.passages import Passage, Refusal
from tracking.domain.custody.passes import Change, Pass, Use
from tracking.domain.custody.plates import Likeness
from tracking.domain.custody.told import Document
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, cite_document, cite_report
from tracking.domain.custody.weighing import EmptyLimits, WeightLimits


class Objection(Struct, frozen=True):
    """One thing that speaks against a passage.

    Attributes:
        code: of the rule.
        cause: as in a verdict.
        outcome: finding or undetermined.
        severity: how grave; info where undetermined.
        text: for a person at the gate.
        opened_at: when the vehicle was at the gate.
        answered: when an officer's word settled it; None: nobody's has.
        evidence: the gate's reports, the pass, the officers' words.
    """

    code: str
    cause: str
    outcome: Outcome
    severity: Severity
    text: str
    opened_at: datetime
    answered: datetime | None
    evidence: tuple[Evidence, ...]


WITHOUT_PASS: Final = {
    Refusal.NO_PAPER: "there is no pass for this vehicle, zone and direction",
    Refusal.OTHER_ZONE: "the pass is for another zone",
    Refusal.OTHER_DIRECTION: "the pass is for the other direction",
    Refusal.NOT_APPROVED: "the pass is applied for, not approved",
    Refusal.DEAD: "the pass is deleted or void",
}
"""Refusals that leave a vehicle without an approved pass, and how one says so."""


def without_pass(passage: Passage, zone_kinds: tuple[str, ...]) -> Objection | None:
    """B1: nothing permits the passage of a gate where a pass is needed."""
    if passage.place.zone is None or passage.place.zone_kind not in zone_kinds:
        return None
    missing = [text for refusal, text in WITHOUT_PASS.items() if refusal in passage.refusals]
    if not missing:
        return None
    text = "; ".join(missing)
    return _against(passage, "pass_missing_or_not_approved", passage.place.zone, Severity.CRITICAL, text)


def wrong_vehicle(passage: Passage) -> Objection | None:
    """B2: the plate is not the pass's, or only a person can say whether it is."""
    paper = at_its_gate(passage)
    if paper is None or (passage.read is Likeness.SAME and passage.likeness is Likeness.SAME):
        return None
    code, plate = "wrong_vehicle_at_gate", passage.gate.plate or "no plate"
    if passage.likeness is Likeness.DIFFERENT:
        text = f"{plate} is not {paper.body.vehicle}"
        return _against(passage, code, paper.number, Severity.CRITICAL, text)
    text = f"{plate} may be {paper.body.vehicle} or not: look at the picture"
    if passage.gate.plate_confidence is not None:
        text = f"{text} (read with confidence {passage.gate.plate_confidence:g})"
    picture: Evidence = {"missing": "plate_confirmed", "picture": passage.gate.image}
    looked_at = passage.looked_at if passage.likeness is Likeness.SAME else None
    return _against(passage, code, paper.number, None, text, picture, answered=looked_at)


def wrong_container(passage: Passage) -> Objection | None:
    """B3: a container that is not on the pass, one of several not seen, or a number that can't be right."""
    paper = at_its_gate(passage)
    if paper is None or passage.refusals & {Refusal.USED, Refusal.DEAD}:
        return None
    read = boxes.compare(passage.gate.containers, paper.body.containers)
    code = "wrong_container_at_gate"
    if read is not None and read.strange:
        text = f"{', '.join(read.strange)} not on the pass"
        return _against(passage, code, paper.number, Severity.CRITICAL, text)
    if read is not None and read.misread:
        text = f"{', '.join(read.misread)}: the check digit fails"
        return _against(passage, code, paper.number, Severity.MINOR, text)
    if read is not None and read.unseen:
        text = f"{', '.join(read.unseen)} on the pass, not read"
        return _against(passage, code, paper.number, None, text, {"missing": "container"})
    return None


def wrong_weight(passage: Passage, limits: WeightLimits) -> Objection | None:
    """B4: the weighbridge says another weight than the pass, or nothing."""
    paper = _own_pass(passage)
    expected = weighing.declared_kg(paper.body) if paper is not None else None
    if paper is None or expected is None or paper.body.type is PassType.EMPTY_VEHICLE:
        return None
    code, measured = "gate_weight_mismatch", weighing.weighed(passage.weight_kg)
    if measured is None:
        return _against(passage, code, paper.number, None, "not weighed", {"missing": "weight_kg"})
    if not weighing.is_off(measured, expected, limits):
        return None
    text = f"weighs {measured:g} kg, declared {expected:g} kg"
    numbers: Evidence = {"measured_kg": measured, "declared_kg": expected}
    return _against(passage, code, paper.number, Severity.MAJOR, text, numbers)


def not_empty(passage: Passage, limits: EmptyLimits) -> Objection | None:
    """B9: an empty vehicle's pass, and the weighbridge says loaded, or nothing."""
    paper = _own_pass(passage)
    own = weighing.own_kg(paper.body) if paper is not None else None
    if paper is None or own is None or paper.body.type is not PassType.EMPTY_VEHICLE:
        return None
    code, measured = "empty_truck_not_empty", weighing.weighed(passage.weight_kg)
    if measured is None:
        return _against(passage, code, paper.number, None, "not weighed", {"missing": "weight_kg"})
    if not weighing.is_loaded(measured, own, limits):
        return None
    text = f"weighs {measured:g} kg, {own:g} kg when empty"
    numbers: Evidence = {"measured_kg": measured, "empty_kg": own}
    return _against(passage, code, paper.number, Severity.CRITICAL, text, numbers)


def used_again(passage: Passage) -> Objection | None:
    """B5: its own vehicle comes with a pass that was used before."""
    paper = at_its_gate(passage)
    if paper is None or Refusal.USED not in passage.refusals or passage.likeness is Likeness.DIFFERENT:
        return None
    last = paper.changes[-1]
    text = f"the pass was used at {last.time.isoformat()}"
    return _against(passage, "pass_reused", paper.number, Severity.CRITICAL, text, cite_change(last))


def cite_change(change: Change) -> Evidence:
    """The paper or the report by which a pass took a state."""
    assert not isinstance(change.by, Use)  # that is what decisions come to, and rules read what they rest on
    return cite_document(change.by) if isinstance(change.by, Document) else cite_report(change.by)


def wrong_direction(passage: Passage) -> Objection | None:
    """B8: the pass is for the other direction, or the gate is built for it."""
    direction, built_for = passage.gate.direction.value, passage.place.direction
    if built_for not in (None, "both", direction):
        text = f"{direction} through a gate for {built_for}"
        return _against(passage, "direction_mismatch", passage.place.gate, Severity.MAJOR, text)
    paper = at_its_gate(passage)
    if paper is None or Refusal.OTHER_DIRECTION not in passage.refusals:
        return None
    text = f"{direction} with a pass for {paper.body.direction.value}"
    return _against(passage, "direction_mismatch", paper.number, Severity.MAJOR, text)


def no_goods_lane(passage: Passage) -> Objection | None:
    """A6: goods in a lane for staff."""
    if NO_GOODS not in (passage.place.lane, passage.gate.lane):
        return None
    text = "goods in a lane where no goods vehicle may go"
    return _against(passage, "gate_bypass", passage.place.gate, Severity.CRITICAL, text)


def at_its_gate(passage: Passage) -> Pass | None:
    """The pass that the passage tried, where it is one for this zone."""
    return None if Refusal.OTHER_ZONE in passage.refusals else passage.paper


def _own_pass(passage: Passage) -> Pass | None:
    """The same, unless it isn't this vehicle's or this journey's: then its weight is nothing to compare."""
    is_other = passage.likeness is Likeness.DIFFERENT or passage.refusals & {
        Refusal.OTHER_DIRECTION,
        Refusal.USED,
        Refusal.DEAD,
    }
    return None if is_other else at_its_gate(passage)


def _against(
    passage: Passage,
    code: str,
    cause: str,
    severity: Severity | None,
    text: str,
    *more: Evidence,
    answered: datetime | None = None,
) -> Objection:
    """An objection to a passage; without a severity it is undetermined."""
    cited = [cite_report(read) for read in passage.reads]
    if passage.paper is not None:
        cited.append(cite_document(passage.paper.paper))
    cited += [cite_document(word) for word in passage.words]
    return Objection(
        code=code,
        cause=cause,
        outcome=Outcome.UNDETERMINED if severity is None else Outcome.FINDING,
        severity=severity or Severity.INFO,
        text=text,
        opened_at=passage.time,
        answered=min((word for word in (passage.let_through, answered) if word is not None), default=None),
        evidence=(*cited, *more),
    )

"""A yard with gates: what they report, whether they are heard, and the papers that are shown at them.

yard = GateYard()
yard.files_pass("Z-1", "苏E33D71", at="08:00")
yard.at_gate("G-SIPE-N1", "苏E33D71", at="11:16", pass_number="Z-1")
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from devices.observation import Direction, Gate, micros
from tests.support.yard import EPOCH, PVG_TO_SIP, Yard, clock
from tracking.domain.custody.case import open_case
from tracking.domain.custody.documents import (
    GateOverride,
    GatePass,
    PassMoved,
    PassState,
    PassType,
    PlateConfirmed,
)
from tracking.domain.custody.facts import AreaRevision, GateWatch, Milestone
from tracking.domain.custody.passages import PassBook, PassLimits
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import Outcome

GATES: tuple[tuple[str, str, str, str, float, float], ...] = (
    ("G-SIPE-N1", "SIPCBZ-E", "in", "normal", 120.8120, 31.3460),
    ("G-SIPE-N2", "SIPCBZ-E", "out", "normal", 120.8132, 31.3460),
    ("G-SIPE-S1", "SIPCBZ-E", "both", "fast", 120.8050, 31.3340),
    ("G-SIPE-P1", "SIPCBZ-E", "both", "staff_no_goods", 120.7960, 31.3400),
    ("G-KS-N1", "KSCBZ", "both", "normal", 121.0422, 31.3745),
    ("G-PVG-N1", "PVGCARGO", "both", "normal", 121.7863, 31.1642),
)
"""Code, zone, direction, lane, longitude and latitude."""

AT_GATES = frozenset(
    rule.code for rule in RULES.values() if rule.number[0] == "B" or rule.number in {"A5", "A6", "A7"}
)
"""The rules about gates and passes."""


class GateYard(Yard):
    """The yard with all of ``GATES``, every one of them heard each minute unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        for code, zone, direction, lane, lon, lat in GATES:
            properties = {"direction": direction, "lane": lane}
            area = AreaRevision(code, "gate", False, zone, 1, EPOCH, None, properties, lon, lat)
            self.areas[code] = (area,)

    def files_pass(
        self,
        number: str = "Z-1",
        vehicle: str = "苏E33D71",
        *,
        at: str = "08:00",
        approved: str | None = "08:10",
        shipment: str = "S-1",
        **more: Any,
    ) -> Document:
        """Applied for and, unless told otherwise, approved: into SIPCBZ-E on one vehicle."""
        body = {"type": PassType.FIRST_LINE, "direction": Direction.IN, "zone": "SIPCBZ-E"} | more
        paper = self.files(GatePass(vehicle=vehicle, **body), at=at, number=number, shipment=shipment)
        if approved is not None:
            self.moves_pass(number, PassState.APPROVED, at=approved, shipment=shipment)
        return paper

    def moves_pass(self, number: str, state: PassState, *, at: str, shipment: str = "S-1") -> Document:
        return self.files(PassMoved(state), at=at, number=number, source="reported", shipment=shipment)

    def at_gate(
        self,
        gate: str = "G-SIPE-N1",
        plate: str | None = "苏E33D71",
        *,
        at: str,
        direction: Direction | None = None,
        lane: str = "1",
        confidence: float | None = 0.98,
        pass_number: str | None = None,
        image: str | None = "picture.jpg",
        shipment: str = "S-1",
        things: Sequence[str] = (),
        **more: Any,
    ) -> Report:
        """A vehicle at a gate, in the direction that the gate is for, else in."""
        built_for = next(row[2] for row in GATES if row[0] == gate)
        way = direction or Direction("out" if built_for == "out" else "in")
        fact = Gate(gate, lane, way, plate, confidence, pass_number=pass_number, image=image, **more)
        return self.hears(fact, at=at, device=f"SIP/{gate}", kind="gate", things=things, shipment=shipment)

    def confirms_plate(self, report: Report, plate: str, *, at: str, shipment: str = "S-1") -> Document:
        """An officer looked at the picture."""
        body = PlateConfirmed(report.device, report.run, report.seq, plate, "looked at the picture")
        return self.files(body, at=at, source="decided", shipment=shipment)

    def overrides(self, report: Report, decision: str, *, at: str, shipment: str = "S-1") -> Document:
        """An officer decides at the gate."""
        body = GateOverride(report.device, report.run, report.seq, decision, "known to me")
        return self.files(body, at=at, source="decided", shipment=shipment)

    def watches(
        self,
        gate: str,
        *,
        last_heard: str | None,
        silent: Sequence[tuple[str, str | None]] = (),
        every_s: int = 60,
    ) -> GateWatch:
        """A gate's device: when it was heard last, and when it was silent from and until."""
        told = []
        for since, until in silent:
            begun = clock(since)
            due = begun + timedelta(seconds=5 * every_s)
            told.append(Milestone(due, "silent", None, {"last_heard": [micros(begun), 1, 0]}, (due, -1, -1)))
            if until is not None:
                told.append(Milestone(clock(until), "heard", None, {}, (clock(until), 1, 9)))
        zone = next(row[1] for row in GATES if row[0] == gate)
        heard = clock(last_heard) if last_heard is not None else None
        watch = GateWatch(gate, zone, f"SIP/{gate}", every_s, heard, tuple(told))
        self.gates = [other for other in self.gates if other.gate != gate] + [watch]
        return watch

    def watches_all(self, zone: str = "SIPCBZ-E", *, last_heard: str = "+1 23:00") -> None:
        """Every gate of a zone is heard all the time."""
        for code, of, *_ in GATES:
            if of == zone:
                self.watches(code, last_heard=last_heard)

    def expect_at_gates(self, shipment: str = "S-1", *, until: str = "23:00", **expected: str) -> None:
        """The whole set of what the rules about gates and passes say, as ``expect_findings`` has it."""
        if shipment not in self.terms:
            self.holds(shipment, PVG_TO_SIP, since="06:00")
        found = [f.verdict for f in self.findings(shipment, until=until) if f.verdict.rule in AT_GATES]
        said = {
            v.rule: "undetermined" if v.outcome is Outcome.UNDETERMINED else v.severity.value for v in found
        }
        assert said == expected
        assert len(found) == len(said), "a rule speaks more than once"

    def book(self, shipment: str = "S-1", limits: PassLimits | None = None) -> PassBook:
        """The passes and passages."""
        if shipment not in self.terms:
            self.truck(shipment=shipment)
        return open_case(self.facts(shipment), clock("+1 23:00")).book(limits or PassLimits())

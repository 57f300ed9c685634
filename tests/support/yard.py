"""A yard for stories about custody: trucks that drive, stray and fall silent, and what is expected of them.

The yard knows no database and no fold of tracks: a truck's doings become the milestones that such a track
would have told. Times are those of one day, ``"09:15"`` or ``"09:15:30"``, UTC.

    yard = Yard()
    truck = yard.truck("TRK-1").enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    truck.strays("C-PVG-SIPE", at="09:30")
    yard.expect_findings(truck, route_deviation="major")
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Self

import msgspec

from devices.identifiers import parse_thing
from devices.observation import micros
from tracking.domain.custody import terms as terms_
from tracking.domain.custody.case import open_case
from tracking.domain.custody.documents import Body
from tracking.domain.custody.facts import (
    AreaBook,
    AreaRevision,
    Carriage,
    Facts,
    GateWatch,
    Milestone,
    MissingNumbers,
    Position,
    Sample,
    Silence,
    TermsRevision,
)
from tracking.domain.custody.judge import Judgement, judge
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.rules.device import TRACK_FACTOR
from tracking.domain.custody.told import Aboard, Document, Report, Told
from tracking.domain.custody.verdicts import Finding, Outcome
from tracking.domain.things.events import Event
from tracking.domain.things.fold import Conflict, Kind
from tracking.domain.things.subject import subject

DAY = datetime(2026, 3, 10, tzinfo=UTC)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)

FEW: Final = 200
"""So many reports and values a story may have to be looked at moment by moment."""

PVG_TO_SIP: dict[str, Any] = {
    "legs": [
        {"type": "stay", "zones": ["PVGCARGO"]},
        {
            "type": "move",
            "from_zones": ["PVGCARGO"],
            "corridor": "C-PVG-SIPE",
            "to_zones": ["SIPCBZ-E"],
        },
        {"type": "stay", "zones": ["SIPCBZ-E"]},
    ]
}

AREAS: tuple[tuple[str, str, bool, str | None], ...] = (
    ("PVGCARGO", "airport", False, None),
    ("SIPCBZ-E", "cbz", True, None),
    ("COLD01", "cold_store", True, "SIPCBZ-E"),
    ("INSP01", "inspection", True, "SIPCBZ-E"),
    ("VAULT01", "restricted", False, "SIPCBZ-E"),
    ("G-SIPE-N1", "gate", False, "SIPCBZ-E"),
    ("KSCBZ", "cbz", True, None),
    ("WHMIX01", "warehouse", True, "SIPCBZ-E"),
    ("WHMIX01-B", "storage_bonded", True, "WHMIX01"),
    ("WHMIX01-N", "storage_nonbonded", False, "WHMIX01"),
    ("WHMIX01-Q", "storage_hold", True, "WHMIX01"),
    ("SA-YCH", "rest_allowed", False, None),
    ("LAYBY-LD", "layby_forbidden", False, None),
    ("C-PVG-SIPE", "corridor", False, None),
    ("C-SIDE", "corridor", False, None),
)


def clock(text: str) -> datetime:
    """A time of the day; ``+1 09:15`` is the day after."""
    days, _, time = text.rpartition(" ")
    parts = [int(part) for part in time.split(":")]
    hours, minutes, seconds = (*parts, 0)[:3]
    return DAY + timedelta(days=int(days or 0), hours=hours, minutes=minutes, seconds=seconds)


class Truck:
    """One device on one shipment's goods, and what it does."""

    def __init__(self, name: str, shipment: str, role: str, begins: str, every_s: int) -> None:
        self.device = f"SIP/{name}"
        self.shipment = shipment
        self.role = role
        self.every_s = every_s
        self.begins = clock(begins)
        self.ends: datetime | None = None
        self.heard_at: datetime | None = None
        self.milestones: list[Milestone] = []
        self.gaps: list[Silence] = []
        self.leaving: dict[str, datetime] = {}
        self.moving_off: datetime | None = None
        self.kind = "tracker"
        self.thing = ""
        self.samples: list[Sample] = []
        self.positions: list[Position] = []
        self.missing: list[MissingNumbers] = []
        self.calibrated_at: datetime | None = None

    def enters(self, zone: str, *, at: str) -> Self:
        return self._tells("entered", zone, at)

    def leaves(self, zone: str, *, at: str, last_within: str | None = None) -> Self:
        before = [micros(clock(last_within)), 1, 0] if last_within is not None else None
        self.leaving.pop(zone, None)
        return self._tells("left", zone, at, before=before)

    def is_leaving(self, zone: str, *, last_within: str) -> Self:
        """Its newest fixes lie outside, too few yet for a departure."""
        self.leaving[zone] = clock(last_within)
        return self

    def crosses(self, zone: str, *, at: str, until: str, certain: bool = True) -> Self:
        before, after = ([micros(clock(time)), 1, 0] for time in (at, until))
        return self._tells("crossed", zone, until, certain=certain, before=before, after=after)

    def strays(self, corridor: str, *, at: str) -> Self:
        return self._tells("strayed", corridor, at)

    def returns(self, corridor: str, *, at: str) -> Self:
        return self._tells("returned", corridor, at)

    def reports(self, *, at: str) -> Self:
        """A position that changes nothing."""
        self.heard_at = max(self.heard_at or clock(at), clock(at))
        return self

    def was_silent(self, *, since: str, until: str | None = None) -> Self:
        """The track told of a silence: five times the expected interval without word, and its end."""
        begun = clock(since)
        self.reports(at=since)
        due = begun + timedelta(seconds=5 * self.every_s)
        detail = {"last_heard": [micros(begun), 1, 0], "after_s": 5.0 * self.every_s}
        self.milestones.append(Milestone(due, "silent", None, detail, (due, -1, -1)))
        return self if until is None else self._tells("heard", None, until)

    def paused(self, *, since: str, until: str) -> Self:
        """A silence too short for the track, measured in the observations."""
        self.gaps.append(Silence(clock(since), clock(until)))
        return self.reports(at=until)

    def stops(
        self,
        *,
        at: str,
        until: str | None = None,
        last_still: str | None = None,
        lon: float = 121.3,
        lat: float = 31.4,
    ) -> Self:
        """It stands still, known three minutes later, and moves on."""
        self._tells("stopped", None, at, lon=lon, lat=lat)
        if until is None:
            return self
        before = {"before": [micros(clock(last_still)), 1, 0]} if last_still is not None else {}
        return self._tells("moved", None, until, lon=lon, lat=lat, **before)

    def jumps(
        self, *, at: str, settled: str | None = None, metres: float = 9000.0, kmh: float | None = 1080.0
    ) -> Self:
        """A fix where it can't have come; it is back, or believed, at the second moment."""
        self._tells("jumped", None, at, distance_m=metres, speed_kmh=kmh)
        return self if settled is None else self._tells("jump_settled", None, settled, believed=False)

    def is_off_in_datum(
        self, *, at: str, cleared: str | None = None, fixes: int = 1, believed: bool = False
    ) -> Self:
        """A fix lies where GCJ-02 would put it; it is back, or believed, at the second moment."""
        self._tells("datum_suspected", None, at, datum="gcj02", distance_m=467.0)
        if cleared is None:
            return self
        return self._tells("datum_cleared", None, cleared, fixes=fixes, believed=believed)

    def is_moving_off(self, *, last_still: str) -> Self:
        """Its newest fixes lie beyond its stop, too few yet to have moved."""
        self.moving_off = clock(last_still)
        return self

    def measures(self, quantity: str, value: float, *, at: str) -> Self:
        """One value of a sensor."""
        self.samples.append(Sample(clock(at), quantity, value, 1, len(self.samples) + 1))
        return self.reports(at=at)

    def measures_along(self, quantity: str, *points: tuple[str, float], every_s: int = 60) -> Self:
        """Values on the straight lines between points of (time, value), one each ``every_s``."""
        knots = [(clock(at), value) for at, value in points]
        self._sample(knots[0][0], quantity, knots[0][1])
        for (begins, one), (ends, other) in pairwise(knots):
            span = (ends - begins).total_seconds()
            for second in range(every_s, round(span) + 1, every_s):
                value = round(one + (other - one) * second / span, 6)
                self._sample(begins + timedelta(seconds=second), quantity, value)
        return self

    def was_calibrated(self, *, days_ago: int) -> Self:
        """So many days before the day of the stories, at midnight."""
        self.calibrated_at = DAY - timedelta(days=days_ago)
        return self

    def _sample(self, time: datetime, quantity: str, value: float) -> None:
        self.samples.append(Sample(time, quantity, value, 1, len(self.samples) + 1))
        self.heard_at = max(self.heard_at or time, time)

    def fixes(self, lon: float, lat: float, *, at: str, speed_mps: float | None = None) -> Self:
        """A position to be compared with another device's."""
        seq = len(self.positions) + 1
        self.positions.append(Position(clock(at), lon, lat, 10.0, speed_mps, 1, seq))
        return self.reports(at=at)

    def lost_numbers(self, *, after: str, before: str, first: int = 7, last: int = 9) -> Self:
        """Numbers that never came, between two reports that did."""
        self.missing.append(MissingNumbers(1, first, last, clock(after), clock(before)))
        return self

    def detached(self, *, at: str) -> Self:
        self.ends = clock(at)
        return self

    def carriage(self) -> Carriage:
        return Carriage(
            device=self.device,
            role=self.role,
            expected_every_s=self.every_s,
            begins=self.begins,
            ends=self.ends,
            last_heard=self.heard_at,
            last_fix=self.heard_at,
            milestones=tuple(sorted(self.milestones, key=lambda m: (m.time, m.at, m.kind, m.area or ""))),
            gaps=tuple(self.gaps),
            leaving=dict(self.leaving),
            moving_off=self.moving_off,
            kind=self.kind,
            thing=self.thing,
            samples=tuple(sorted(self.samples, key=lambda s: (s.time, s.quantity, s.run, s.seq))),
            positions=tuple(sorted(self.positions, key=lambda p: (p.time, p.run, p.seq))),
            missing=tuple(self.missing),
            calibrated_at=self.calibrated_at,
        )

    def _tells(self, kind: str, area: str | None, at: str, **detail: Any) -> Self:
        time = clock(at)
        self.reports(at=at)
        self.milestones.append(Milestone(time, kind, area, detail, (time, 1, len(self.milestones) + 1)))
        return self


class Yard:
    """Areas, shipments with their terms, and the trucks that carry them."""

    def __init__(self) -> None:
        self.trucks: list[Truck] = []
        self.terms: dict[str, list[TermsRevision]] = {}
        self.closed: dict[str, datetime] = {}
        self.aboard: dict[str, list[Aboard]] = {}
        self.reports: dict[str, list[Report]] = {}
        self.documents: dict[str, list[Document]] = {}
        self.gates: list[GateWatch] = []
        self.conflicts: list[Conflict] = []
        self.areas: dict[str, tuple[AreaRevision, ...]] = {
            code: (AreaRevision(code, kind, bonded, parent, 1, EPOCH),)
            for code, kind, bonded, parent in AREAS
        }

    def truck(
        self,
        name: str = "TRK-1",
        *,
        shipment: str = "S-1",
        role: str = "primary",
        terms: Mapping[str, Any] | None = None,
        begins: str = "06:00",
        every_s: int = 60,
        kind: str = "tracker",
        thing: str = "",
    ) -> Truck:
        if shipment not in self.terms:
            self.holds(shipment, terms or PVG_TO_SIP, since="06:00")
        truck = Truck(name, shipment, role, begins, every_s)
        truck.kind = kind
        truck.thing = parse_thing(thing).uri if thing else ""
        self.trucks.append(truck)
        return truck

    def holds(self, shipment: str, terms: Mapping[str, Any], *, since: str) -> None:
        revisions = self.terms.setdefault(shipment, [])
        revisions.append(TermsRevision(len(revisions) + 1, clock(since), terms_.parse(terms)))

    def closes(self, shipment: str, *, at: str) -> None:
        self.closed[shipment] = clock(at)

    def contradicts(self, thing: str, *, at: str, until: str | None = None) -> None:
        """Scans put the goods into two things at once, until the next one settles it."""
        events = tuple(Event(clock(at), "loading", parent) for parent in ("urn:x:1", "urn:x:2"))
        ends = None if until is None else clock(until)
        kind, parents = Kind.DOUBLE_PARENT, ("urn:x:1", "urn:x:2")
        self.conflicts.append(Conflict(kind, thing, parents, clock(at), ends, events))

    def facts(self, shipment: str = "S-1") -> Facts:
        return Facts(
            shipment=shipment,
            terms=tuple(self.terms[shipment]),
            carriages=tuple(truck.carriage() for truck in self.trucks if truck.shipment == shipment),
            areas=AreaBook(self.areas),
            closed_at=self.closed.get(shipment),
            aboard=tuple(self.aboard.get(shipment, ())),
            reports=tuple(sorted(self.reports.get(shipment, ()), key=lambda report: report.order)),
            documents=tuple(
                sorted(self.documents.get(shipment, ()), key=lambda document: (document.time, document.entry))
            ),
            gates=tuple(self.gates),
            conflicts=tuple(self.conflicts),
        )

    def holds_goods(
        self,
        label: str,
        *,
        begins: str = "06:00",
        ends: str | None = None,
        is_goods: bool = True,
        shipment: str = "S-1",
    ) -> str:
        """A thing of the shipment, or one that carried it; gives its URI."""
        thing = parse_thing(label)
        until = clock(ends) if ends is not None else None
        self.aboard.setdefault(shipment, []).append(
            Aboard(thing.uri, thing.kind, label, is_goods, clock(begins), until)
        )
        return thing.uri

    def hears(
        self,
        fact: Told,
        *,
        at: str,
        device: str = "SIP/SC-01",
        kind: str = "scanner",
        things: Sequence[str] = (),
        shipment: str = "S-1",
    ) -> Report:
        """A device says something of the goods; ``things`` beside those that the fact itself names."""
        reports = self.reports.setdefault(shipment, [])
        uris = {parse_thing(thing).uri for thing in things}
        named = subject(fact)
        report = Report(
            clock(at),
            device,
            kind,
            1,
            len(reports) + 1,
            fact,
            frozenset(uris | ({named} if named else set())),
        )
        reports.append(report)
        return report

    def files(
        self,
        body: Body,
        *,
        at: str,
        number: str = "",
        things: Sequence[str] = (),
        source: str = "declared",
        shipment: str = "S-1",
    ) -> Document:
        """A person or a partner says something of the shipment."""
        documents = self.documents.setdefault(shipment, [])
        uris = frozenset(parse_thing(thing).uri for thing in things)
        document = Document(len(documents) + 1, number, clock(at), body, source, "desk", uris)
        documents.append(document)
        return document

    def judged(self, shipment: str = "S-1", *, until: str = "23:00") -> Judgement:
        """The judgement; the same facts gathered in another order must give the same."""
        facts = self.facts(shipment)
        judgement = judge(facts, clock(until))
        shuffled = _shuffled(facts)
        assert judge(shuffled, clock(until)) == judgement, "the order of the facts changed the findings"
        if len(facts.reports) + sum(len(one.samples) for one in facts.carriages) <= FEW:
            assert stepped(facts, clock(until)).findings == judgement.findings, "changed unseen"
        return judgement

    def findings(
        self, shipment: str = "S-1", *, until: str = "23:00", rule: str | None = None
    ) -> list[Finding]:
        found = self.judged(shipment, until=until).findings
        return [finding for finding in found if rule is None or finding.verdict.rule == rule]

    def finding(self, rule: str, shipment: str = "S-1", *, until: str = "23:00") -> Finding:
        """The one finding of a rule."""
        found = self.findings(shipment, until=until, rule=rule)
        assert len(found) == 1, found
        return found[0]

    def expect_findings(self, shipment: str = "S-1", *, until: str = "23:00", **expected: str) -> None:
        """The whole set: rule=severity, or rule="undetermined". What isn't named must not be there."""
        found = {
            f.verdict.rule: (
                "undetermined" if f.verdict.outcome is Outcome.UNDETERMINED else f.verdict.severity.value
            )
            for f in self.findings(shipment, until=until)
        }
        assert found == expected


def on_its_way(yard: Yard, terms: Mapping[str, Any] | None = None, **more: Any) -> Truck:
    """A truck that left the airport at 08:41, on its corridor."""
    truck = yard.truck(terms=terms, **more).enters("PVGCARGO", at="08:00")
    return truck.returns("C-PVG-SIPE", at="08:00").leaves("PVGCARGO", at="08:41")


def stepped(facts: Facts, until: datetime) -> Judgement:
    """The judgement at the last moment at which anybody asked for another look, as of ``until``.

    What it says is what the court believes at ``until`` when nothing new was recorded on the way. Beside the
    judgings themselves the tracks ask: a silence becomes a fact when it has lasted.
    """
    silences = [
        carriage.last_heard + TRACK_FACTOR * timedelta(seconds=carriage.expected_every_s)
        for carriage in facts.carriages
        if carriage.last_heard is not None
    ]
    judgement = judge(facts, EPOCH)
    looked = EPOCH
    while True:
        looks = [judgement.next_due, *(silence for silence in silences if silence > looked)]
        looked = min((look for look in looks if look is not None), default=until + timedelta(days=1))
        if looked > until:
            return judgement
        judgement = judge(facts, looked)


def rules_due(code: str, facts: Facts, *, at: str) -> datetime | None:
    """When a rule itself asks for another look, with its own limits."""
    rule = RULES[code]
    assert rule.due is not None
    return rule.due(open_case(facts, clock(at)), rule.limits)


def over(finding: Finding) -> tuple[datetime, datetime | None]:
    """The interval of a finding."""
    return finding.verdict.opened_at, finding.verdict.closed_at


def _shuffled(facts: Facts, seed: int = 1) -> Facts:
    dice = random.Random(seed)

    def mixed(items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(dice.sample(list(items), len(items)))

    return msgspec.structs.replace(
        facts,
        terms=mixed(facts.terms),
        carriages=mixed(facts.carriages),
        aboard=mixed(facts.aboard),
        reports=mixed(facts.reports),
        documents=mixed(facts.documents),
        gates=mixed(facts.gates),
        conflicts=mixed(facts.conflicts),
    )

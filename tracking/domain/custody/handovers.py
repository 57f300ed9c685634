"""Who handed what to whom: the words of both sides, brought together.

Each side reports a handover under its own role. Two words are of one handover when they are about the same
thing and name the same parties; of what is left, two of different roles that lie close together are of one
handover on which the sides disagree. A word that is said again is no other handover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Final

import msgspec
from msgspec import Struct

from devices.observation import Gate, Handover, Role, Scan, Seal, SealState
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.signatures import Signed, check
from tracking.domain.custody.told import Report
from tracking.domain.things.subject import subject

CONFIRM_WITHIN: Final = timedelta(minutes=60)
"""For so long the other side may wait with its word."""

BOTH: Final = 2
TOLERATED_SHARE: Final = 1e-9
"""Quantities that differ by less of each other are one number, written in two ways."""


class Handing(Struct, frozen=True):
    """One handover.

    Attributes:
        thing: URI of what was handed over.
        giver: the giver's word.
        taker: the taker's word; at least one of both is there.
        differs: on what the sides disagree: ``parties``, ``seals``, ``quantity``.
        bad_signatures: words whose signature isn't their device's.
        compared: scans and readings in which they differ.
        met: the seals that each side met, and the quantities that it scanned.
    """

    thing: str
    giver: Report | None
    taker: Report | None
    differs: tuple[str, ...] = ()
    bad_signatures: tuple[Report, ...] = ()
    compared: tuple[Report, ...] = ()
    met: tuple[Report, ...] = ()

    @property
    def words(self) -> tuple[Report, ...]:
        """What was said, in order."""
        said = [report for report in (self.giver, self.taker) if report is not None]
        return tuple(sorted(said, key=lambda report: report.order))

    @property
    def begins(self) -> datetime:
        """The first word."""
        return self.words[0].time

    @property
    def ends(self) -> datetime | None:
        """The second word; None while one side is missing."""
        return self.words[1].time if len(self.words) == BOTH else None

    @property
    def is_sound(self) -> bool:
        """Both sides say the same, and it is they who say it."""
        return self.ends is not None and not self.differs and not self.bad_signatures


def handover_of(report: Report) -> Handover:
    """The fact of a handover's report."""
    assert isinstance(report.fact, Handover)
    return report.fact


def handovers(facts: Facts, within: timedelta = CONFIRM_WITHIN) -> tuple[Handing, ...]:
    """Every handover, in order of the first word.

    Args:
        facts: the shipment's.
        within: how far apart two words lie at most that disagree and are yet of one handover; and how far
            around its word a side's scans and readings are its own count.
    """
    words: dict[str, list[Report]] = {}
    for report in facts.reports:
        if isinstance(report.fact, Handover) and (thing := subject(report.fact)) is not None:
            words.setdefault(thing, []).append(report)
    around: dict[str, list[Report]] = {}
    for report in facts.reports:
        for thing in words.keys() & report.things:
            around.setdefault(thing, []).append(report)
    found = [
        _compared(Handing(thing, giver, taker), facts, around.get(thing, ()), within)
        for thing, reports in words.items()
        for giver, taker in _paired(_once(reports, within), within)
    ]
    return tuple(sorted(found, key=lambda handing: (handing.words[0].order, handing.thing)))


def _once(reports: Sequence[Report], within: timedelta) -> list[Report]:
    """Without what a side said again, unless so much later that it is another handover."""
    kept: list[Report] = []
    last: dict[tuple[str, str, str], datetime] = {}
    for report in reports:
        fact = handover_of(report)
        said = (fact.role.value, fact.from_party, fact.to_party)
        if said not in last or report.time - last[said] > within:
            kept.append(report)
        last[said] = report.time
    return kept


def _paired(reports: Sequence[Report], within: timedelta) -> Iterator[tuple[Report | None, Report | None]]:
    """Giver and taker; first those that agree on the parties, then those that are merely close."""
    left = list(reports)
    givers = [report for report in reports if handover_of(report).role is Role.GIVER]
    takers = [report for report in reports if handover_of(report).role is Role.TAKER]
    nearest = sorted(product(givers, takers), key=lambda pair: abs(pair[0].time - pair[1].time))
    for belong in (_agree, lambda giver, taker: abs(giver.time - taker.time) <= within):
        for giver, taker in nearest:
            if giver in left and taker in left and belong(giver, taker):
                left.remove(giver)
                left.remove(taker)
                yield giver, taker
    for report in left:
        yield (report, None) if handover_of(report).role is Role.GIVER else (None, report)


def _agree(giver: Report, taker: Report) -> bool:
    """Whether both name the same parties."""
    given, taken = handover_of(giver), handover_of(taker)
    return (given.from_party, given.to_party) == (taken.from_party, taken.to_party)


def _compared(handing: Handing, facts: Facts, around: Sequence[Report], within: timedelta) -> Handing:
    """With all on which the sides disagree."""
    bad = tuple(word for word in handing.words if check(word, facts.keys) is Signed.WRONG)
    giver, taker = handing.giver, handing.taker
    seals = {word.order: _seals(around, word, within) for word in handing.words}
    amounts = {word.order: _amount(around, word, within) for word in handing.words}
    counted = [amount for amount in amounts.values() if amount is not None]
    met = {r.order: r for side in seals.values() for r in side.values()} | {r.order: r for r, _ in counted}
    found = Handing(handing.thing, giver, taker, (), bad, (), tuple(met[order] for order in sorted(met)))
    if giver is None or taker is None:
        return found
    differs = [] if _agree(giver, taker) else ["parties"]
    compared: list[Report] = []
    given, taken = seals[giver.order], seals[taker.order]
    if given and taken and given.keys() != taken.keys():
        differs.append("seals")
        compared += [*given.values(), *taken.values()]
    if len(counted) == BOTH and _are_other(counted[0][1], counted[1][1]):
        differs.append("quantity")
        compared += [report for report, _ in counted]
    return msgspec.structs.replace(found, differs=tuple(differs), compared=tuple(compared))


def _near(around: Sequence[Report], word: Report, within: timedelta) -> Iterator[Report]:
    """What the same side said of the same thing around its word."""
    side = _party(word)
    for report in around:
        party = report.fact.party if isinstance(report.fact, Scan) else None
        is_its = report.device == word.device or (party is not None and party == side)
        if is_its and abs(report.time - word.time) <= within:
            yield report


def _party(word: Report) -> str:
    fact = handover_of(word)
    return fact.from_party if fact.role is Role.GIVER else fact.to_party


def _seals(around: Sequence[Report], word: Report, within: timedelta) -> dict[str, Report]:
    """The numbers of the seals that a side met."""
    found: dict[str, Report] = {}
    for report in _near(around, word, within):
        match report.fact:
            case Seal(seal=number, state=SealState.LOCKED):
                found[number] = report
            case Gate(seals=numbers):
                found |= dict.fromkeys(numbers, report)
    return found


def _amount(around: Sequence[Report], word: Report, within: timedelta) -> tuple[Report, Scan] | None:
    """How much a side scanned, nearest to its word."""
    scans = [
        (report, report.fact)
        for report in _near(around, word, within)
        if isinstance(report.fact, Scan) and report.fact.quantity is not None
    ]
    return min(scans, key=lambda scan: (abs(scan[0].time - word.time), scan[0].order), default=None)


def _are_other(one: Scan, other: Scan) -> bool:
    """Whether two quantities in one unit differ."""
    if one.quantity is None or other.quantity is None or (one.uom or "") != (other.uom or ""):
        return False
    return abs(one.quantity - other.quantity) > TOLERATED_SHARE * max(one.quantity, other.quantity)

"""In whose hands the goods are, over time: what the terms declare, until a handover says otherwise.

A leg that names a custodian puts the goods into its hands when it begins. A handover that both sides confirm
passes them on at its second word; the taker's word alone does too, for who says "I have it" answers for it.
The giver's word alone leaves nobody answerable once the other side's time to confirm is over, and so does a
handover on whose parties the sides disagree. Goods of one shipment in several hands have no one custodian.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Final

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.handovers import CONFIRM_WITHIN, Handing, handover_of

TERMS: Final = "terms"
HANDOVER: Final = "handover"


class Keeping(Struct, frozen=True):
    """Who answers for the goods during [begins, ends).

    Attributes:
        begins: from this moment on.
        ends: until this one; None: still.
        party: who; None: nobody knows.
        told_by: ``terms`` or ``handover``.
    """

    begins: datetime
    ends: datetime | None
    party: str | None
    told_by: str


class _Word(Struct, frozen=True):
    """Goods pass into somebody's hands; no things: all of them."""

    time: datetime
    party: str | None
    told_by: str
    thing: str | None = None


def custodians(case: Case) -> tuple[Keeping, ...]:
    """Who answered for the goods, in order of time, from the first word on."""
    goods = {aboard.thing for aboard in case.facts.aboard if aboard.is_goods}
    hands: dict[str, str | None] = {}
    found: list[Keeping] = []
    words = sorted(_words(case), key=lambda word: (word.time, word.told_by == HANDOVER, word.thing or ""))
    for time, at_once in groupby(words, key=lambda word: word.time):
        for word in at_once:
            if word.thing in goods and len(goods) > 1:
                hands[word.thing] = word.party
            else:
                hands = dict.fromkeys(goods or {""}, word.party)
            told_by = word.told_by
        parties = {hands.get(thing) for thing in goods or {""}}
        party = parties.pop() if len(parties) == 1 else None
        if found and (found[-1].party, found[-1].told_by) == (party, told_by):
            continue
        if found:
            found[-1] = Keeping(found[-1].begins, time, found[-1].party, found[-1].told_by)
        found.append(Keeping(time, None, party, told_by))
    return tuple(found)


def custodian_at(found: tuple[Keeping, ...], moment: datetime) -> str | None:
    """Who answered for the goods at a moment; None: nobody knows."""
    held = (k for k in found if k.begins <= moment and (k.ends is None or moment < k.ends))
    return next((keeping.party for keeping in held), None)


def _words(case: Case) -> Iterator[_Word]:
    for span in case.legs.spans:
        if span.leg.custodian is not None:
            yield _Word(span.begins, span.leg.custodian, TERMS)
    for handing in case.handovers:
        yield from _said(handing, case.until)


def _said(handing: Handing, until: datetime) -> Iterator[_Word]:
    thing = handing.thing
    if handing.giver is not None and handing.taker is not None:
        party = None if "parties" in handing.differs else handover_of(handing.taker).to_party
        if handing.taker.time > handing.giver.time + CONFIRM_WITHIN:
            yield _Word(handing.giver.time + CONFIRM_WITHIN, None, HANDOVER, thing)
        yield _Word(handing.words[-1].time, party, HANDOVER, thing)
    elif handing.taker is not None:
        yield _Word(handing.taker.time, handover_of(handing.taker).to_party, HANDOVER, thing)
    elif handing.giver is not None and handing.giver.time + CONFIRM_WITHIN <= until:
        yield _Word(handing.giver.time + CONFIRM_WITHIN, None, HANDOVER, thing)

"""Rules about parcels on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import Action, Scan
from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Release
from tracking.domain.custody.intervals import earlier
from tracking.domain.custody.items import Papers, Scanned, named
from tracking.domain.custody.releases import is_released, word_for
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.terms import StayLeg
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import (
    Outcome,
    Severity,
    Verdict,
    cite_document,
    cite_report,
)
from tracking.domain.things.subject import thing_uri

PACKAGES: Final = frozenset({"parcel", "handling_unit", "item", "product", "code"})
"""Kinds of things into which one packs; what one loads into is a conveyance."""

PUTS_IN: Final = frozenset({Action.PACKING, Action.STUFFING, Action.REPACKAGING, Action.LOADING})
TAKES_OUT: Final = frozenset({Action.UNPACKING, Action.UNSTUFFING, Action.UNLOADING, Action.REMOVING})
PUTS_BACK: Final = TAKES_OUT | {Action.STORING, Action.STOCKING, Action.HOLDING, Action.RECEIVING}
"""Scans that show that a thing is no longer on the vehicle."""

UNNAMED: Final = "vehicle"
"""The cause where a loading scan names no vehicle."""


class ReleaseLimits(Struct, frozen=True):
    """Parameters of ``parcel_out_without_release``.

    Attributes:
        max_cited: scans that one finding cites, where a whole shipment goes out.
    """

    max_cited: Annotated[int, Meta(ge=1, le=1000)] = 20


class _Ride(Struct, frozen=True):
    """One thing on a conveyance.

    Attributes:
        item: URI.
        loaded: the scan of it, or of what it lay in.
        ends: when it came off; None: it is on.
        is_package: other things lay in it; they are what must be released.
    """

    item: str
    loaded: Report
    ends: datetime | None
    is_package: bool


class _Blocked(Struct, frozen=True):
    """A ride that should not have begun.

    Attributes:
        loaded: the scan that began it.
        closed_at: when it ended, or was released.
        word: what holds it; None: nobody has said anything.
    """

    loaded: Report
    closed_at: datetime | None
    word: Document | None


@rule(
    number="E5",
    code="parcel_out_without_release",
    severity=Severity.CRITICAL,
    limits=ReleaseLimits,
)
def parcel_out_without_release(case: Case, limits: ReleaseLimits) -> Iterator[Verdict]:
    """A parcel was loaded onto a vehicle although customs hold it, or haven't released it (未放行包裹出库).

    Opens at the loading scan, of the parcel or of what it was packed into. Closes when the parcel is
    released, or scanned back off the vehicle. A parcel that papers name is a finding of its own; where the
    shipment as a whole is held or unreleased, each vehicle is one.

    Which word counts: a hold that names the parcel holds until a later word names it; a hold of the whole
    shipment holds until a later word of either kind.

    Must not fire for a released parcel; where nobody has said anything and the leg doesn't ask for release;
    nor again for further loading scans of a parcel that is on the vehicle already.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_cited``, default 20.

    Evidence: the loading scans, and the word that holds.
    Source: bonded goods leave when customs have released them (State Council decree 256); rule E5 of our
    catalogue.
    """
    releases = Papers(d for d in case.facts.documents if isinstance(d.body, Release))
    for cause, blocked in sorted(_blocked(case, releases).items()):
        for opened_at, closed_at, rides in _together(blocked):
            terms = case.facts.terms_at(opened_at)
            if terms is None:
                continue
            cited = rides[: limits.max_cited]
            words = {ride.word.entry: ride.word for ride in cited if ride.word is not None}
            yield Verdict(
                rule="parcel_out_without_release",
                cause=cause,
                outcome=Outcome.FINDING,
                severity=Severity.CRITICAL,
                opened_at=opened_at,
                closed_at=closed_at,
                evidence=(
                    *(cite_report(ride.loaded) for ride in cited),
                    *(cite_document(words[entry]) for entry in sorted(words)),
                ),
                parameters=msgspec.structs.asdict(limits),
                terms_revision=terms.revision,
            )


def _blocked(case: Case, releases: Papers) -> dict[str, list[_Blocked]]:
    """Rides that should not have begun, by what they are a finding of."""
    found: dict[str, list[_Blocked]] = {}
    for ride in _rides(case.scanned):
        item, loaded = ride.item, ride.loaded
        word = word_for(releases, item, loaded.time)
        if word is None and (ride.is_package or not _needs_release(case, loaded)):
            continue
        if word is not None and is_released(word):
            continue
        cause = named(item).label if word is not None and word.things else _conveyance(loaded)
        closed_at = earlier(ride.ends, _released_at(releases, item, loaded.time))
        found.setdefault(cause, []).append(_Blocked(loaded, closed_at, word))
    return found


def _together(blocked: list[_Blocked]) -> Iterator[tuple[datetime, datetime | None, list[_Blocked]]]:
    """Rides of one cause that overlap are one finding."""
    opened_at, closed_at, rides = blocked[0].loaded.time, blocked[0].closed_at, blocked[:1]
    for ride in blocked[1:]:
        if closed_at is not None and closed_at < ride.loaded.time:
            yield opened_at, closed_at, rides
            opened_at, closed_at, rides = ride.loaded.time, ride.closed_at, [ride]
            continue
        rides.append(ride)
        closed_at = None if closed_at is None or ride.closed_at is None else max(closed_at, ride.closed_at)
    yield opened_at, closed_at, rides


def _rides(scanned: Scanned) -> list[_Ride]:
    """What was on a conveyance, in order of the scans; what lies in a package rides with it."""
    inside: dict[str, set[str]] = {}
    riding: dict[str, _Ride] = {}
    found: list[_Ride] = []
    for thing, report, scan in scanned:
        action, parent = scan.action, _parent(scan)
        packages = parent is not None and named(parent).kind in PACKAGES
        if action is Action.LOADING and not packages:
            for item in _with_contents(thing, inside):
                riding.setdefault(item, _Ride(item, report, None, bool(inside.get(item))))
        elif action in PUTS_IN and parent is not None:
            inside.setdefault(parent, set()).add(thing)
        if action in TAKES_OUT and parent is not None:
            inside.get(parent, set()).discard(thing)
        if action in PUTS_BACK:
            found += [
                msgspec.structs.replace(riding.pop(item), ends=report.time)
                for item in _with_contents(thing, inside)
                if item in riding
            ]
    return sorted([*found, *riding.values()], key=lambda ride: (ride.loaded.order, ride.item))


def _parent(scan: Scan) -> str | None:
    return thing_uri(scan.parent) if scan.parent is not None else None


def _with_contents(thing: str, inside: dict[str, set[str]]) -> list[str]:
    """A thing and all that was packed into it, however deep."""
    found, seen = [thing], {thing}
    for item in found:
        more = sorted(inside.get(item, set()) - seen)
        seen.update(more)
        found += more
    return found


def _scan(report: Report) -> Scan:
    assert isinstance(report.fact, Scan)
    return report.fact


def _conveyance(loaded: Report) -> str:
    parent = _parent(_scan(loaded))
    return named(parent).label if parent is not None else UNNAMED


def _released_at(releases: Papers, item: str, since: datetime) -> datetime | None:
    """When the word that counts for an item released it after a moment."""
    for document in releases.about(item):
        if document.time > since:
            word = word_for(releases, item, document.time)
            if word is not None and is_released(word):
                return document.time
    return None


def _needs_release(case: Case, loaded: Report) -> bool:
    """Whether the leg asks for release: the running one, else the one that keeps goods where the scan was
    made, else the one that is awaited.
    """
    span = case.legs.at(loaded.time)
    if span is not None:
        return span.leg.needs_release
    terms = case.facts.terms_at(loaded.time)
    if terms is None:
        return False
    legs, location = terms.terms.legs, _scan(loaded).location
    places = {location} | case.facts.around(location, loaded.time) if location is not None else set()
    kept = (leg for leg in legs if isinstance(leg, StayLeg) and places & set(leg.zones))
    return next(kept, legs[min(case.legs.index, len(legs) - 1)]).needs_release

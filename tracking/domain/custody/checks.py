"""Whether terms can hold anybody to anything: what no single field shows.

Do the places exist, and do the legs connect? Can the times be kept? Do the rules that are overridden, and
their parameters, exist? All faults at once; warnings are what is allowed but probably not meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from typing import Final

import msgspec
from msgspec import Struct

from devices.identifiers import credit_code_warning
from tracking.domain.custody.faults import Fault, faults, nearest, step
from tracking.domain.custody.profiles import range_of
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.terms import ANY_SEAL, NO_SEAL, Leg, Limit, MoveLeg, Override, Terms, zone_fields

CORRIDOR: Final = "corridor"
"""The kind of an area that is a line with a tolerance; every other kind is a zone."""

TEMPERATURE: Final = "temperature_c"


class Place(Struct, frozen=True):
    """An area that terms may name.

    Attributes:
        kind: ``cbz``, ``port``, ``corridor`` and so on.
        parent: the zone around it.
    """

    kind: str
    parent: str | None = None


def check(
    terms: Terms,
    places: Mapping[str, Place] | None = None,
    *,
    park: str | None = None,
    reporting: Mapping[str, int] | None = None,
) -> list[Fault]:
    """Everything that is wrong with terms as a whole, in the order of the document.

    Args:
        terms: what was parsed.
        places: every area that may be named, by code; None: the places are not looked at.
        park: whose places they are, for the message.
        reporting: the primary devices on the goods, with the seconds between their reports.
    """
    found: list[Fault] = []
    for at, leg in enumerate(terms.legs):
        where = f"/legs/{at}"
        found += _named_twice(leg, where)
        if places is not None:
            found += _unknown_places(leg, where, places, park)
        found += _window(leg, where)
        found += _silence(leg, where, reporting or {})
        found += _parties_and_seals(leg, where)
        for quantity, limit in leg.limits.items():
            found += _limit(limit, quantity, f"{where}/limits/{quantity}")
        if at:
            found += _connection(terms.legs[at - 1], leg, at, places)
    found += _order_of_times(terms)
    found += check_rules(terms.rules)
    return found


def _named_twice(leg: Leg, where: str) -> Iterator[Fault]:
    for field, codes in zone_fields(leg):
        for position, code in enumerate(codes):
            if code in codes[:position]:
                yield Fault(f"{where}/{field}/{position}", f'"{code}" is named twice')
    if isinstance(leg, MoveLeg):
        for position, code in enumerate(leg.to_zones):
            if code in leg.from_zones:
                what = f'"{code}" is where the move begins; it can\'t end there too'
                yield Fault(f"{where}/to_zones/{position}", what)


def _unknown_places(leg: Leg, where: str, places: Mapping[str, Place], park: str | None) -> Iterator[Fault]:
    corridors = {code for code, place in places.items() if place.kind == CORRIDOR}
    zones = places.keys() - corridors
    of_park = f" in park {park}" if park is not None else ""
    for field, codes in zone_fields(leg):
        for position, code in enumerate(codes):
            if code not in zones:
                what = f'no zone "{code}"{of_park}'
                yield Fault(f"{where}/{field}/{position}", what, nearest(code, zones), about="zone")
    if isinstance(leg, MoveLeg) and leg.corridor is not None and leg.corridor not in corridors:
        what = f'no corridor "{leg.corridor}"{of_park}'
        yield Fault(f"{where}/corridor", what, nearest(leg.corridor, corridors), about=CORRIDOR)


def _window(leg: Leg, where: str) -> Iterator[Fault]:
    if leg.not_before and leg.deadline and leg.deadline <= leg.not_before:
        yield Fault(f"{where}/deadline", "must be later than not_before")


def _silence(leg: Leg, where: str, reporting: Mapping[str, int]) -> Iterator[Fault]:
    for device, every_s in sorted(reporting.items()):
        if leg.max_silence_s is not None and leg.max_silence_s < every_s:
            what = f"{device} reports every {every_s} s: each of its pauses would be a finding"
            yield Fault(f"{where}/max_silence_s", what, level="warning")


def _parties_and_seals(leg: Leg, where: str) -> Iterator[Fault]:
    if leg.custodian is not None and (warning := credit_code_warning(leg.custodian)) is not None:
        yield Fault(f"{where}/custodian", warning, level="warning")
    word = None if leg.seal is None else leg.seal.lower()
    if word in {ANY_SEAL, NO_SEAL} and word != leg.seal:
        yield Fault(f"{where}/seal", f'"{leg.seal}" is no seal number', word)


def _limit(limit: Limit, quantity: str, where: str) -> Iterator[Fault]:
    low, high = range_of(limit.low, limit.high, limit.profile)
    if low is None and high is None and limit.mean_kinetic_c is None:
        yield Fault(where, "limits nothing: give low, high or mean_kinetic_c, or a profile that has a range")
    if low is not None and high is not None and low > high:
        yield Fault(f"{where}/high", f"is below low ({low:g})")
    if limit.profile is not None and quantity != TEMPERATURE:
        yield Fault(f"{where}/profile", f"{quantity} has no profile; only {TEMPERATURE} has")
    if limit.mean_kinetic_c is not None and quantity != TEMPERATURE:
        what = f"{quantity} has no mean kinetic temperature; only {TEMPERATURE} has"
        yield Fault(f"{where}/mean_kinetic_c", what)


def _connection(before: Leg, leg: Leg, at: int, places: Mapping[str, Place] | None) -> Iterator[Fault]:
    """The next leg begins where this one ends, or in a zone within it or around it."""
    ended, ends = zone_fields(before)[-1]
    begun, begins = zone_fields(leg)[0]
    stranded = [
        (position, code)
        for position, code in enumerate(ends)
        if not any(_meet(code, other, places or {}) for other in begins)
    ]
    if len(stranded) == len(ends):
        what = f"leg {at - 1} ends in {_listed(ends)}, but leg {at} begins in {_listed(begins)}"
        if places is None:
            what += ", unless one lies within the other"
        level = "error" if places is not None else "warning"
        yield Fault(f"/legs/{at}/{begun}", what, level=level)  # type: ignore[arg-type]
        return
    for position, code in stranded:
        what = f'leg {at - 1} may end in "{code}", where leg {at} can\'t begin'
        yield Fault(f"/legs/{at - 1}/{ended}/{position}", what, level="warning")


def _meet(one: str, other: str, places: Mapping[str, Place]) -> bool:
    return one == other or other in _around(one, places) or one in _around(other, places)


def _around(code: str, places: Mapping[str, Place]) -> set[str]:
    found: set[str] = set()
    place = places.get(code)
    while place is not None and place.parent is not None and place.parent not in found:
        found.add(place.parent)
        place = places.get(place.parent)
    return found


def _order_of_times(terms: Terms) -> Iterator[Fault]:
    legs = list(enumerate(terms.legs))
    for (first, one), (then, other) in combinations(legs, 2):
        if one.not_before and other.deadline and other.deadline <= one.not_before:
            what = f"leg {then} would have to be over before leg {first} may begin"
            yield Fault(f"/legs/{then}/deadline", what)
    dated = [(at, leg.deadline) for at, leg in legs if leg.deadline is not None]
    for (first, earlier), (then, later) in pairwise(dated):
        if later < earlier:
            what = f"is before the deadline of leg {first}"
            yield Fault(f"/legs/{then}/deadline", what, level="warning")


def check_rules(overrides: Mapping[str, Override]) -> Iterator[Fault]:
    """Whether the rules that are changed, and their parameters, exist; each fault at ``/rules/…``."""
    for code, override in overrides.items():
        where = f"/rules/{code}"
        rule = RULES.get(code)
        if rule is None:
            yield Fault(where, f'no rule "{code}"', nearest(code, RULES))
            continue
        known = {field.name: field.type for field in msgspec.structs.fields(rule.limits)}
        for name, value in override.parameters.items():
            here = step(f"{where}/parameters", name)
            if name in known:
                yield from faults(value, known[name], here)
            else:
                yield Fault(here, f'{code} has no parameter "{name}"', nearest(name, known))


def _listed(codes: tuple[str, ...]) -> str:
    return ", ".join(codes)

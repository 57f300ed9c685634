"""The truth about seals and silence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import shapely

from simulators.reality.noticing import tracker_every_s
from simulators.reality.seen import Incident, Seen, outline
from simulators.reality.windows import Window

SEAL_SILENCE_S: Final = 900.0
"""Fifteen minutes, or two of its intervals, rule C4, where the terms say nothing."""

SILENT_AFTER: Final = 5
"""So many of the intervals that a tracker's registration states, rule G1."""


def seal_broken_in_transit(one: Seen) -> Iterator[Incident]:
    """C1: the seal was cut on the way, or opened before customs ordered it.

    It may be found of one that was opened on an order where nobody could see that it was there. No seal is
    locked again, and the last leg goes on: it never closes.
    """
    haul = one.haul
    opened = haul.cut if haul.cut is not None else haul.unlocked
    if opened is None:
        return
    is_ordered = haul.cut is None and opened >= haul.ordered
    if is_ordered and not one.blind((opened - 1, opened + 1)):
        return
    why = "cut" if haul.cut is not None else "opened without an order"
    why = "opened on an order, unseen" if is_ordered else why
    yield Incident(
        "seal_broken_in_transit",
        haul.shipment,
        opened,
        haul.ends,
        opened,
        not is_ordered,
        why,
        closes=False,
    )


def wrong_destination(one: Seen) -> Iterator[Incident]:
    """A9: the seal was cut on the way, in a zone that is not of its way and not for inspections."""
    haul = one.haul
    if haul.cut is None:
        return
    place = haul.drive.course.at(haul.cut)
    for code, feature in one.places.features.items():
        kind = feature["properties"]["kind"]
        if kind in {"corridor", "gate", "inspection"} or code in {haul.origin, haul.destination}:
            continue
        if shapely.contains_xy(outline(one.places, code), *place):
            sure = not one.blind((haul.cut - 120, haul.cut + 120))
            why = f"cut in {code}"
            yield Incident("wrong_destination", haul.shipment, haul.cut, one.entered, haul.cut, sure, why)


def door_or_light_while_sealed(one: Seen) -> Iterator[Incident]:
    """C6: the door stood open for 20 s while the seal was locked."""
    haul = one.haul
    opened = haul.cut if haul.cut is not None else haul.unlocked
    for begins, ends in haul.climate.doors:
        if begins > haul.locked and (opened is None or begins < opened) and ends - begins >= 20:
            until = ends if opened is None else min(ends, opened)
            why = f"door open for {(until - begins) / 60:.1f} minutes"
            sure, due = until - begins > 21, begins + 20
            yield Incident("door_or_light_while_sealed", haul.shipment, begins, until, due, sure, why)


def seal_silent(one: Seen) -> Iterator[Incident]:
    """C4: a seal that is on the goods and not opened said nothing for 15 minutes, or what the terms allow.

    On rails it is told after 15 minutes all the same, as information. Near a zone's border either limit may
    hold.
    """
    haul = one.haul
    opened = haul.unlocked if haul.unlocked is not None else haul.ends
    usual = max(SEAL_SILENCE_S, 2.0 * haul.fleet.seal_every_s)
    for last, heard in _gaps(one.heard.seal, haul.ends, SEAL_SILENCE_S):
        is_on_road = not one.is_rail and one.left <= last < one.entered
        due = last + (haul.fleet.max_silence_s if is_on_road else usual)
        if haul.locked <= last and due < min(opened, heard):
            least = last + min(haul.fleet.max_silence_s, usual)
            yield Incident(
                "seal_silent",
                haul.shipment,
                due,
                heard,
                due,
                bool(heard - due > 5),
                _silence(last, heard),
                early_s=due - least if _is_near_border(one, last) else 0.0,
                closes=heard < haul.ends,
            )


def device_silent(one: Seen) -> Iterator[Incident]:
    """G1: the tracker said nothing for longer than the leg allows, else five times what is expected of it.

    Near a zone's border either limit may hold.
    """
    haul = one.haul
    usual = SILENT_AFTER * tracker_every_s(haul.fleet)
    least = min(haul.fleet.max_silence_s, usual)
    for last, heard in _gaps(one.heard.fixes, haul.ends, least):
        limit = haul.fleet.max_silence_s if one.left <= last < one.entered else usual
        is_near_border = _is_near_border(one, last)
        if heard - last > limit:
            due = last + limit
            sure = heard - due > 5 and not (is_near_border and heard - last < usual + 5)
            yield Incident(
                "device_silent",
                haul.shipment,
                due,
                heard,
                due,
                sure,
                _silence(last, heard),
                early_s=limit - least if is_near_border else 0.0,
                closes=heard < haul.ends,
            )


def _is_near_border(one: Seen, t: float) -> bool:
    return min(abs(t - one.left), abs(t - one.entered)) < 180


def _gaps(times: Sequence[float], ends: float, least_s: float) -> Iterator[Window]:
    """Silences longer than so many seconds, the one until the end too."""
    for one, other in zip(times, [*times[1:], ends], strict=True):
        if other - one > least_s:
            yield one, other


def _silence(last: float, heard: float) -> str:
    return f"silent for {(heard - last) / 60:.0f} minutes"

"""Where the goods were: by their devices' places, and by what scanners saw."""

from __future__ import annotations

from datetime import datetime

from devices.observation import Scan
from tracking.domain.custody.course import IN, ON
from tracking.domain.custody.facts import Carriage, Facts
from tracking.domain.custody.told import Report
from tracking.domain.custody.visits import visits


def zones_at(facts: Facts, moment: datetime) -> frozenset[str] | None:
    """The zones that any device on the goods was in, with those around them; None: no device could tell.

    A silent device can't: where it was last is not where the goods are.
    """
    if not any(_could_tell(carriage, moment) for carriage in facts.carriages):
        return None
    found = {
        visit.zone
        for visit in visits(facts)
        if visit.certain
        and not _was_silent(visit.carriage, moment)
        and visit.during[0] <= moment
        and (visit.during[1] is None or moment < visit.during[1])
    }
    return frozenset(found.union(*(facts.around(zone, moment) for zone in found)))


def _could_tell(carriage: Carriage, moment: datetime) -> bool:
    """Whether it was on the goods, had told of any place, and was not silent."""
    if moment < carriage.begins or (carriage.ends is not None and carriage.ends <= moment):
        return False
    return not _was_silent(carriage, moment) and any(
        m.time <= moment and (m.kind in IN or m.kind in ON) for m in carriage.milestones
    )


def _was_silent(carriage: Carriage, moment: datetime) -> bool:
    """Whether its track tells of a silence then. With its first word after that it may tell of a seal and of
    no place, so its place is known again only from there on.
    """
    silent = [m.time for m in carriage.milestones if m.kind == "silent" and m.time <= moment]
    heard = [m.time for m in carriage.milestones if m.kind == "heard" and m.time < moment]
    return bool(silent) and (not heard or heard[-1] < silent[-1])


def last_place(facts: Facts, before: datetime | None) -> Report | None:
    """The newest scan of the goods that names a location, no later than a moment; None: any."""
    goods = {aboard.thing for aboard in facts.aboard if aboard.is_goods}
    for report in reversed(facts.reports):
        if before is not None and report.time > before:
            continue
        if isinstance(report.fact, Scan) and report.fact.location is not None and report.things & goods:
            return report
    return None

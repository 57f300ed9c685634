"""Where scanners last saw the goods."""

from __future__ import annotations

from datetime import datetime

from devices.observation import Scan
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.told import Report


def last_place(facts: Facts, before: datetime | None) -> Report | None:
    """The newest scan of the goods that names a location, no later than a moment; None: any."""
    goods = {aboard.thing for aboard in facts.aboard if aboard.is_goods}
    for report in reversed(facts.reports):
        if before is not None and report.time > before:
            continue
        if isinstance(report.fact, Scan) and report.fact.location is not None and report.things & goods:
            return report
    return None

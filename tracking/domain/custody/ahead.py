"""What is known of a time that the watermark has not reached: until then, no rule may rest on it alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from tracking.domain.custody.carriage import Carriage
from tracking.domain.custody.facts import Facts


def next_fact(facts: Facts, until: datetime) -> datetime | None:
    """The first moment after ``until`` of which something is known.

    A device's clock may lead, or its partition be ahead of another's. A rule that waits for the watermark
    then has to be asked again when that arrives, though nothing new is recorded.

    Args:
        facts: everything that is recorded of a shipment.
        until: the watermark, UTC.
    """
    told = chain(
        (moment for carriage in facts.carriages for moment in _of_carriage(carriage, until)),
        (milestone.time for gate in facts.gates for milestone in gate.milestones),
        (report.time for report in facts.reports),
        (document.time for document in facts.documents),
        (moment for one in facts.aboard for moment in (one.begins, one.ends) if moment),
        (moment for one in facts.conflicts for moment in (one.begins, one.ends) if moment),
    )
    return min((moment for moment in told if moment > until), default=None)


def _of_carriage(carriage: Carriage, until: datetime) -> Iterator[datetime]:
    yield carriage.begins
    if carriage.ends is not None:
        yield carriage.ends
    yield from (milestone.time for milestone in carriage.milestones)
    yield from (gap.heard for gap in carriage.gaps if gap.heard is not None)
    for samples in carriage.measured.values():
        following = bisect_right(samples, until, key=lambda sample: sample.time)
        if following < len(samples):
            yield samples[following].time

"""The chain of custody as a rule: gaps that no other rule tells of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.chain import crossings, gaps, next_look
from tracking.domain.custody.facts import Silence
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_silence


class ChainLimits(Struct, frozen=True):
    """Parameters of ``custody_continuity``.

    Attributes:
        witness_within_min: minutes around a departure or arrival, as the track tells it, within which its
            witnesses must lie.
    """

    witness_within_min: Annotated[float, Meta(gt=0, le=10_080)] = 60


def chain_due(case: Case, limits: ChainLimits) -> datetime | None:
    """When the witnesses of a departure or arrival are overdue."""
    within = timedelta(minutes=limits.witness_within_min)
    return next_look(case, crossings(case, within), within)


@rule(
    number="H1",
    code="custody_continuity",
    severity=Severity.MINOR,
    limits=ChainLimits,
    due=chain_due,
)
def custody_continuity(case: Case, limits: ChainLimits) -> Iterator[Verdict]:
    """The chain of custody has a gap: the goods passed without a witness (全程可追溯).

    Every move's departure and arrival must be told by a gate's report or by a handover that both sides
    confirm, where the place that is left or entered has a gate with a device of its own; and where the terms
    give the goods into other hands, somebody must have told: a gate, a handover, a scan that loads or
    receives. Opens ``witness_within_min`` minutes after the departure or arrival, as the track tells it;
    closes at the next point of the chain that has its witness.

    Undetermined while the gate is offline, or owes a report that may still tell.

    Must not fire for trains, whose stations have gates for trucks alone; for places without gates; nor for
    what other rules tell of: leaving a zone of closed management, silences, cut seals, unconfirmed
    handovers. Those count in the verdict that is shown with the shipment: continuous, gap or broken.

    Args:
        case: the shipment as of the watermark.
        limits: ``witness_within_min``, minutes, default 60.

    Evidence: the departure or arrival as far as it is known, and what the gates' devices said last.
    Source: rule H1 of our catalogue: every hand-over with who, when, where, seal, count, weight and
    temperature. The minutes are ours.
    """
    within = timedelta(minutes=limits.witness_within_min)
    for gap in gaps(case, crossings(case, within), within):
        opened_at = gap.begins + within
        terms = case.facts.terms_at(opened_at)
        if terms is None or gap.is_an_exit or (gap.ends is not None and gap.ends <= opened_at):
            continue
        yield Verdict(
            rule="custody_continuity",
            cause=gap.cause,
            outcome=Outcome.FINDING if gap.is_certain else Outcome.UNDETERMINED,
            severity=Severity.MINOR if gap.is_certain else Severity.INFO,
            opened_at=opened_at,
            closed_at=gap.ends,
            evidence=(
                {"missing": gap.kind},
                *gap.crossing.cited,
                *(
                    cite_silence(watcher.watch.device, Silence(watcher.last_heard, watcher.heard))
                    for watcher in gap.crossing.watchers
                    if watcher.last_heard is not None
                ),
            ),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )

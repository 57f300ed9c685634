"""Rules about handovers: both sides must say so, and the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.handovers import Handing, handovers
from tracking.domain.custody.items import named
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_report

Minutes = Annotated[float, Meta(gt=0, le=10_080)]
GRAVE: Final = frozenset({"seals"})
"""Disagreements after which custody may be broken."""


class ConfirmLimits(Struct, frozen=True):
    """Parameters of ``handover_unconfirmed``.

    Attributes:
        confirm_within_min: minutes that the other side has to confirm.
    """

    confirm_within_min: Minutes = 60


class AgreeLimits(Struct, frozen=True):
    """Parameters of ``handover_mismatch``.

    Attributes:
        within_min: minutes within which two words that disagree are of one handover, and around a side's
            word what it scanned counts.
    """

    within_min: Minutes = 60


def confirm_due(case: Case, limits: ConfirmLimits) -> datetime | None:
    """When the other side's minutes are over."""
    within = timedelta(minutes=limits.confirm_within_min)
    dues = (
        handing.begins + within
        for handing in handovers(case.facts, within)
        if handing.ends is None or handing.ends > handing.begins + within
    )
    return min((due for due in dues if due > case.until), default=None)


@rule(
    number="H3",
    code="handover_unconfirmed",
    severity=Severity.MINOR,
    limits=ConfirmLimits,
    due=confirm_due,
)
def handover_unconfirmed(case: Case, limits: ConfirmLimits) -> Iterator[Verdict]:
    """Only one side says that the goods were handed over (交接未确认).

    Opens ``confirm_within_min`` minutes after the one side's word; closes when the other side confirms.

    Must not fire within the minutes, whichever side speaks first; for a word that is said again; nor where
    both sides speak and disagree: that is ``handover_mismatch``.

    Args:
        case: the shipment as of the watermark.
        limits: ``confirm_within_min``, minutes, default 60.

    Evidence: the words that there are.
    Source: custody passes when both sides confirm, as in the hand-over records of rule H1; the minutes are
    ours.
    """
    within = timedelta(minutes=limits.confirm_within_min)
    for handing in handovers(case.facts, within):
        opened_at = handing.begins + within
        if opened_at <= case.until and (handing.ends is None or handing.ends > opened_at):
            yield from _verdict(
                case,
                limits,
                rule="handover_unconfirmed",
                handing=handing,
                severity=Severity.MINOR,
                opened_at=opened_at,
                closed_at=handing.ends,
                evidence=[cite_report(word) for word in handing.words],
            )


@rule(
    number="H4",
    code="handover_mismatch",
    severity=Severity.CRITICAL,
    limits=AgreeLimits,
)
def handover_mismatch(case: Case, limits: AgreeLimits) -> Iterator[Verdict]:
    """The two sides of a handover disagree, or one's signature is not its device's (交接不符).

    Compared are the parties that both name, the numbers of the seals that each side met, and the quantities
    that each scanned of what was handed over, within ``within_min`` minutes of its word. Opens at the second
    word, or the one with the wrong signature; closes at the next handover of the same goods on which both
    sides agree. Critical for seals and signatures, else major.

    Must not fire where one side met no seal or gave no quantity, or gave it in another unit; for a handover
    without a signature, or by a device whose key nobody registered; nor for a missing word.

    Args:
        case: the shipment as of the watermark.
        limits: ``within_min``, minutes, default 60.

    Evidence: on what the sides disagree, their words, and the scans and readings in which they differ.
    Source: seal continuity at every hand-over catches swaps without opening boxes (rule C2 of our
    catalogue); Ed25519 signatures by RFC 8032. The minutes are ours.
    """
    found = handovers(case.facts, timedelta(minutes=limits.within_min))
    for place, handing in enumerate(found):
        if not handing.differs and not handing.bad_signatures:
            continue
        opened_at = _known_at(handing)
        later = (
            h.ends
            for h in found[place + 1 :]
            if h.thing == handing.thing and h.is_sound and h.ends is not None and h.ends > opened_at
        )
        is_grave = bool(handing.bad_signatures or GRAVE & set(handing.differs))
        differs = [*handing.differs, *(["signature"] if handing.bad_signatures else [])]
        yield from _verdict(
            case,
            limits,
            rule="handover_mismatch",
            handing=handing,
            severity=Severity.CRITICAL if is_grave else Severity.MAJOR,
            opened_at=opened_at,
            closed_at=min(later, default=None),
            evidence=[
                {"differs": differs},
                *(cite_report(report) for report in (*handing.words, *handing.compared)),
            ],
        )


def _known_at(handing: Handing) -> datetime:
    """The first wrong signature, else the word with which both sides had spoken."""
    return min((word.time for word in handing.bad_signatures), default=handing.words[-1].time)


def _verdict(
    case: Case,
    limits: Struct,
    *,
    rule: str,
    handing: Handing,
    severity: Severity,
    opened_at: datetime,
    closed_at: datetime | None,
    evidence: Sequence[dict[str, Any]],
) -> Iterator[Verdict]:
    terms = case.facts.terms_at(opened_at)
    if terms is not None:
        yield Verdict(
            rule=rule,
            cause=named(handing.thing).label,
            outcome=Outcome.FINDING,
            severity=severity,
            opened_at=opened_at,
            closed_at=closed_at,
            evidence=tuple(evidence),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )

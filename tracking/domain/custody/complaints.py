"""From what speaks against single passages to verdicts: until when each holds, and what is one.

A vehicle that stands at a barrier is read more than once. Objections of one cause whose times touch are one
verdict, opened by the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.objections import Objection
from tracking.domain.custody.passages import Passage, PassBook
from tracking.domain.custody.verdicts import Severity, Verdict

Settles: TypeAlias = Callable[[Passage], Iterable[datetime]]
"""The moments that put right what was wrong with a passage, before it or after."""

_GRAVITY = {severity: at for at, severity in enumerate(Severity)}


def told(
    case: Case,
    passages: Iterable[Passage],
    objects: Callable[[Passage], Objection | None],
    settles: Settles,
    limits: Struct,
) -> Iterator[Verdict]:
    """What one rule says of all passages.

    Args:
        case: the shipment.
        passages: of its vehicles, in order of time.
        objects: the rule's question.
        settles: when what is wrong with a passage is put right.
        limits: of the rule, for the record.
    """
    open_: dict[tuple[str, str], Verdict] = {}
    for passage in passages:
        objection = objects(passage)
        if objection is None:
            continue
        verdict = _verdict(case, objection, settles(passage), limits)
        if verdict is None:
            continue
        key = (verdict.cause, verdict.outcome)
        known = open_.get(key)
        if known is not None and (known.closed_at is None or verdict.opened_at <= known.closed_at):
            open_[key] = _joined(known, verdict)
            continue
        if known is not None:
            yield known
        open_[key] = verdict
    yield from open_.values()


def uses_of_its_pass(book: PassBook) -> Settles:
    """The pass was used after all, by the vehicle that it is for."""

    def settles(passage: Passage) -> Iterable[datetime]:
        return () if passage.paper is None else book.passes[passage.paper.number].used_at()

    return settles


def passing_in_order(book: PassBook) -> Settles:
    """Another passage of the zone's gates, on a good pass."""

    def settles(passage: Passage) -> Iterable[datetime]:
        return (
            other.used_at
            for other in book.passages
            if other.used_at is not None and other.place.zone == passage.place.zone
        )

    return settles


def passing_without(
    book: PassBook, objects: Callable[[Passage], Objection | None], *, same_pass: bool = True
) -> Settles:
    """The next time on a good pass at a gate of the zone nothing is wrong any more."""

    def settles(passage: Passage) -> Iterable[datetime]:
        return (
            other.time
            for other in book.passages
            if other.used_at is not None
            and other.place.zone == passage.place.zone
            and (not same_pass or _number(other) == _number(passage))
            and objects(other) is None
        )

    return settles


def _number(passage: Passage) -> str | None:
    return None if passage.paper is None else passage.paper.number


def _verdict(case: Case, objection: Objection, settled: Iterable[datetime], limits: Struct) -> Verdict | None:
    """Closed by an officer's word, or by the first moment after it that puts things right."""
    terms = case.facts.terms_at(objection.opened_at)
    if terms is None:
        return None
    ends = [moment for moment in settled if moment > objection.opened_at]
    if objection.answered is not None:
        ends.append(objection.answered)
    return Verdict(
        rule=objection.code,
        cause=objection.cause,
        outcome=objection.outcome,
        severity=objection.severity,
        opened_at=objection.opened_at,
        closed_at=min(ends, default=None),
        evidence=(*objection.evidence, {"says": objection.text}),
        parameters=msgspec.to_builtins(limits),
        terms_revision=terms.revision,
    )


def _joined(known: Verdict, later: Verdict) -> Verdict:
    is_open = known.closed_at is None or later.closed_at is None
    return msgspec.structs.replace(
        known,
        closed_at=None if is_open else max(filter(None, (known.closed_at, later.closed_at))),
        severity=min(known.severity, later.severity, key=_GRAVITY.__getitem__),
        evidence=known.evidence + tuple(piece for piece in later.evidence if piece not in known.evidence),
    )

"""What a rule says: over which interval, how grave, on which evidence. And the finding that it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from devices.observation import micros
from tracking.domain.custody.documents import fields
from tracking.domain.custody.facts import Milestone, Sample, Silence
from tracking.domain.custody.told import Document, Report

Evidence: TypeAlias = Mapping[str, Any]
"""One piece of what a verdict rests on, ready for JSON."""


class Severity(StrEnum):
    """How grave: custody may be broken, a limit likely broken, a procedure, the quality of data."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class Outcome(StrEnum):
    """What a rule decided. Undetermined is neither a pass nor a breach: facts are missing."""

    FINDING = "finding"
    UNDETERMINED = "undetermined"


class FindingState(StrEnum):
    """Where a finding stands. Only late data withdraws one."""

    OPEN = "open"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Verdict(Struct, frozen=True):
    """One rule's verdict over one interval.

    Attributes:
        rule: the rule's code.
        cause: what it is about within the shipment: a zone, a corridor, a device. One open alert per rule
            and cause.
        outcome: finding, or undetermined.
        severity: how grave.
        opened_at: the exact moment it began (event time), whenever it was noticed.
        closed_at: when it ended; None while it lasts.
        evidence: what it rests on, ready for JSON.
        parameters: the values that the rule used, units in the names.
        terms_revision: the terms it was judged under.
    """

    rule: str
    cause: str
    outcome: Outcome
    severity: Severity
    opened_at: datetime
    closed_at: datetime | None
    evidence: tuple[Evidence, ...]
    parameters: Mapping[str, Any]
    terms_revision: int

    def with_also(self, other: Verdict) -> Verdict:
        """Two verdicts that would have one name, as one: as long, as sure and as grave as either."""
        is_open = self.closed_at is None or other.closed_at is None
        return msgspec.structs.replace(
            self,
            outcome=self.outcome if self.outcome is Outcome.FINDING else other.outcome,
            severity=min(self.severity, other.severity, key=list(Severity).index),
            closed_at=None if is_open else max(filter(None, (self.closed_at, other.closed_at))),
            evidence=self.evidence + tuple(piece for piece in other.evidence if piece not in self.evidence),
        )


class Finding(Struct, frozen=True):
    """A verdict with its name. The same facts give the same names on any machine."""

    finding_id: str
    verdict: Verdict

    @property
    def state(self) -> FindingState:
        """Open or closed; a fold never says withdrawn, its absence does."""
        return FindingState.OPEN if self.verdict.closed_at is None else FindingState.CLOSED


def finding_id(shipment: str, rule: str, cause: str, opened_at: datetime) -> str:
    """32 hex digits of the SHA-256 of shipment, rule, cause and opening time."""
    text = "\x1f".join((shipment, rule, cause, str(micros(opened_at))))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cite(device: str, milestone: Milestone) -> dict[str, Any]:
    """A milestone as evidence, named by the observation it rests on, never by a number of our database."""
    time, run, seq = milestone.at
    return {
        "milestone": milestone.kind,
        "device": device,
        "time": milestone.time.isoformat(),
        "area": milestone.area,
        "known_at": {"time": time.isoformat(), "run": run, "seq": seq},
        "detail": dict(milestone.detail),
    }


def cite_silence(device: str, silence: Silence) -> dict[str, Any]:
    """A silence as evidence: the observations on either side of it."""
    return {
        "silence": device,
        "last_heard": silence.last_heard.isoformat(),
        "heard": silence.heard.isoformat() if silence.heard is not None else None,
    }


def cite_report(report: Report) -> dict[str, Any]:
    """What a device said, as evidence: the observation and the fact."""
    return {
        "observation": {"time": report.time.isoformat(), "run": report.run, "seq": report.seq},
        "device": report.device,
        "time": report.time.isoformat(),
        "fact": msgspec.to_builtins(report.fact),
    }


def cite_document(document: Document) -> dict[str, Any]:
    """A paper or a person's word as evidence."""
    return {
        "document": document.kind,
        "number": document.number,
        "time": document.time.isoformat(),
        "source": document.source,
        "by": document.by,
        "body": fields(document.body),
    }


def cite_sample(device: str, sample: Sample) -> dict[str, Any]:
    """A sensor's value as evidence."""
    return {
        "sample": sample.quantity,
        "device": device,
        "time": sample.time.isoformat(),
        "value": sample.value,
        "observation": {"time": sample.time.isoformat(), "run": sample.run, "seq": sample.seq},
    }

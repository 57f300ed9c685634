"""Which observations count is decided in one place: whoever folds or judges reads the views ``counted_…``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracking.store.database import queries, query_subjects

TABLES = re.compile(r"\b(?:from|join|using)\s+(observations|readings|mentions|containment_events)\b")

READ_WHATEVER_WAS_SAID = {
    # query: why it asks the tables themselves
    "account.late": "when something arrived, whatever it was worth",
    "bench.counts": "figures",
    "bench.first_fixes": "figures",
    "bench.mean_body": "figures",
    "bench.recorded_rows": "figures",
    "cases.heard_at": "the raw messages on either side of a silence",
    "certificate.completeness": "what came; what of it was in error is told beside it",
    "certificate.events": "raw events that findings cite",
    "concern.concerned_shipments": "whom a change concerns: now and then somebody too many",
    "corrections.concerning": "what is in error is looked for",
    "corrections.leave_work": "what is in error is looked for",
    "corrections.recorded": "whether it is recorded",
    "corrections.recorded_elsewhen": "whether it is recorded",
    "corrections.unrecorded": "whether it is recorded",
    "coverage.signed_until": "what is signed",
    "evidence.opened": "the raw messages",
    "figures.recorded": "figures",
    "figures.recorded_of": "figures",
    "gates.decided_report": "an officer's word about a decision that was made",
    "gates.undecided": "its reports are those that count",
    "leaves.aggregation": "every row has its leaf",
    "levels.replan_readers": "whom a change concerns: now and then somebody too many",
    "measured.measuring": "who ever measured anything: now and then somebody too many",
    "measured.samples": "which quantities there are; their values are those that count",
    "record.precedents": "a number in error is heard all the same",
    "record.recorded_at_any_time": "a number in error is heard all the same",
    "retention.batch_leaves": "a batch's leaves are all its events",
    "retention.delete_observations": "what is dropped, is dropped whatever it was worth",
    "retention.delete_readings": "what is dropped, is dropped whatever it was worth",
    "retention.devices_of_week": "what is dropped, is dropped whatever it was worth",
    "retention.leaves_of_week": "a batch's leaves are all its events",
    "retention.observations_of": "an archive holds everything that was recorded",
    "retention.readings_of": "an archive holds everything that was recorded",
    "retention.weeks": "what is dropped, is dropped whatever it was worth",
    "told.scans_of": "its observations are those that count",
    "told.reused": "its observations are those that count",
    "told.told_of": "its observations are those that count",
    "verify.contained": "everything is verified",
    "verify.events": "everything is verified",
    "verify.mentioned": "everything is verified",
    "verify.observations": "everything is verified",
    "verify.readings": "everything is verified",
    "verify.scanned": "everything is verified",
}


def readers() -> Iterator[str]:
    for subject in query_subjects():
        for name, text in queries(subject).items():
            if TABLES.search(text.decode()):
                yield f"{subject}.{name}"


def test_whoever_reads_what_does_not_count_says_why() -> None:
    assert sorted(readers()) == sorted(READ_WHATEVER_WAS_SAID)


def test_nobody_reads_the_hourly_views() -> None:
    """They count what was recorded, in error or not (docs/decisions says why)."""
    texts = [text for subject in query_subjects() for text in queries(subject).values()]
    assert texts
    assert [text for text in texts if b"_hourly" in text] == []

"""A finding opened to what it rests on: every message that it cites, as it came, and the findings that rest
on the same ones. Together those are one case: a stop, a light and a weight are verdicts about one night.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from tracking.domain.ledger.certificate import cited
from tracking.store import evidence as store
from tracking.store import reading
from tracking.store.database import Connection
from tracking.store.evidence import Message
from tracking.store.kinds import KIND_NAMES

Key: TypeAlias = tuple[str, datetime, int, int]
"""Device, event time, run, sequence number."""

Finding: TypeAlias = Mapping[str, Any]


def of(conn: Connection, shipment_id: int, finding_id: str) -> dict[str, Any] | None:
    """The newest version of a finding with its messages and its case; None: the shipment has no such finding.

    ``missing`` names what is cited and isn't recorded any more: then somebody has taken it away.

    Args:
        conn: within one snapshot, or not within a transaction.
        shipment_id: whose finding.
        finding_id: its name.
    """
    findings = reading.findings(conn, shipment_id, withdrawn=True)
    found = next((one for one in findings if one["finding_id"] == finding_id), None)
    if found is None:
        return None
    keys = set(observations(found["evidence"]))
    moments = set(silences(found["evidence"]))
    messages = [*store.observed(conn, keys), *store.heard_at(conn, moments)]
    by_key = {(one.device, one.time, one.run, one.seq): one for one in messages}
    heard = {(one.device, one.time) for one in messages}
    gone = [_name(*key) for key in sorted(keys - by_key.keys())]
    gone += [{"device": device, "time": time} for device, time in sorted(moments - heard)]
    return {
        "finding": found,
        "messages": [_shown(by_key[key]) for key in sorted(by_key, key=lambda key: (key[1], key))],
        "missing": gone,
        "case": case(found, [one for one in findings if one["state"] != "withdrawn"]),
    }


def observations(evidence: Sequence[Mapping[str, Any]]) -> Iterator[Key]:
    """The observations that evidence names by their keys."""
    for device, (time, run, seq) in cited(evidence):
        yield device, datetime.fromisoformat(time), run, seq


def silences(evidence: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, datetime]]:
    """The moments on either side of the silences that evidence names."""
    for piece in evidence:
        if "silence" in piece:
            for name in ("last_heard", "heard"):
                if piece.get(name):
                    yield piece["silence"], datetime.fromisoformat(piece[name])


def case(found: Finding, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The findings that belong together with one, itself among them, in order of time.

    Two belong together where both rest on the same message, or where one cites the other.
    """
    rests_on = {one["finding_id"]: set(observations(one["evidence"])) for one in [found, *findings]}

    def belong(one: Finding, other: Finding) -> bool:
        shared = rests_on[one["finding_id"]] & rests_on[other["finding_id"]]
        return bool(shared) or _cites(one, other) or _cites(other, one)

    together = {found["finding_id"]: found}
    while more := [
        one
        for one in findings
        if one["finding_id"] not in together and any(belong(one, other) for other in together.values())
    ]:
        together |= {one["finding_id"]: one for one in more}
    ordered = sorted(together.values(), key=lambda one: (one["opened_at"], one["finding_id"]))
    return [
        {name: one[name] for name in ("finding_id", "rule", "cause", "severity", "opened_at", "closed_at")}
        for one in ordered
    ]


def _cites(one: Finding, other: Finding) -> bool:
    """Whether evidence names another finding: by rule, cause and opening."""
    named = (other["rule"], other["cause"], other["opened_at"].isoformat())
    return any(
        (piece.get("rule", piece.get("caused_by")), piece.get("cause"), piece.get("opened_at")) == named
        for piece in one["evidence"]
    )


def _shown(message: Message) -> dict[str, Any]:
    """With its text where the bytes are one, and the bytes themselves in any case."""
    try:
        text: str | None = message.body.decode()
    except UnicodeDecodeError:
        text = None
    return {
        **_name(message.device, message.time, message.run, message.seq),
        "type": KIND_NAMES[message.kind],
        "received_at": message.received_at,
        "recorded_at": message.recorded_at,
        "batch": message.batch,
        "leaf": message.leaf,
        "dialect": message.dialect,
        "text": text,
        "raw": b64encode(message.body).decode(),
    }


def _name(device: str, time: datetime, run: int, seq: int) -> dict[str, Any]:
    return {"device": device, "time": time, "run": run, "seq": seq}

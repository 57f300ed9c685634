"""All that a record says and all that is held of it, without the keys that are only a database's own."""
# ruff: noqa: E501 - a table of queries

from __future__ import annotations

from typing import Any, Final

from tracking.store.database import Connection

OUTCOME: Final = {
    "observations": """
        select p.code, d.code, o.event_time, o.run, o.seq, o.kind, o.received_at, o.lon, o.lat, o.accuracy_m,
               o.speed_mps, o.heading_deg, o.thing, o.body
        from observations o join devices d using (device_id) join parks p using (park_id) order by 1, 2, 3, 4, 5""",
    "readings": """
        select p.code, d.code, r.quantity, r.event_time, r.run, r.seq, r.value
        from readings r join devices d using (device_id) join parks p using (park_id) order by 1, 2, 3, 4, 5, 6""",
    "rejections": """
        select key, topic, payload, reason, run, seq, received_at from rejections order by key""",
    "milestones": """
        select p.code, d.code, m.time, m.kind, m.area, m.detail::text, m.at_time, m.at_run, m.at_seq
        from milestones m join devices d using (device_id) join parks p using (park_id)
        where m.superseded_at is null order by 1, 2, 3, 4, 5, 6""",
    "gaps": """
        select p.code, d.code, g.run, g.first_seq, g.last_seq, g.filled_at is null
        from sequence_gaps g join devices d using (device_id) join parks p using (park_id) order by 1, 2, 3, 4""",
    "containments": """
        select c.uri, p.uri, s.valid_from, s.valid_to, s.quantity
        from containments s join things c on c.thing_id = s.child_id join things p on p.thing_id = s.parent_id
        where s.superseded_at is null order by 1, 2, 3""",
    "findings": """
        select f.finding_id, s.number, f.rule, f.cause, f.verdict, f.state, f.severity, f.opened_at, f.closed_at,
               f.place::text, f.evidence::text, f.parameters::text, f.terms_revision
        from findings f join shipments s using (shipment_id)
        where f.superseded_at is null and f.state <> 'withdrawn' order by 1""",
    # Those that stand. Which were raised and have gone since, arrival alone has decided.
    "alerts": """
        select s.number, a.rule, a.cause, a.severity, a.state, a.opened_at
        from alerts a join shipments s using (shipment_id) where a.state <> 'resolved' order by 1, 2, 3, 6""",
    "gate decisions": """
        select p.code, d.code, g.gate, g.event_time, g.run, g.seq, g.decided_at, g.decision, g.reasons::text,
               g.pass_number, g.shipments, g.decided_by, g.command_id
        from gate_decisions g join devices d using (device_id) join parks p using (park_id) order by 1, 2, 4, 6""",
    "places": """
        select a.code, r.revision, r.valid_from, r.valid_to, r.geometry::text, r.tolerance_m, r.properties::text,
               r.recorded_at from area_revisions r join areas a using (area_id) order by 1, 2""",
    "terms": """
        select s.number, t.revision, t.valid_from, t.body::text, t.recorded_by
        from terms t join shipments s using (shipment_id) order by 1, 2""",
    "attachments": """
        select p.code, d.code, t.uri, a.role, a.valid_from, a.valid_to, a.superseded_at
        from attachments a join devices d using (device_id) join parks p using (park_id) join things t using (thing_id)
        order by 1, 2, 3, 4, 5""",
    "documents": """
        select d.digest, d.kind, d.number, d.time, d.body::text, s.number, t.uri
        from documents d left join document_links l using (entry) left join shipments s using (shipment_id)
        left join things t using (thing_id) order by 1, 6, 7""",
}


def outcome(conn: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Everything, by subject."""
    return {subject: conn.execute(query.encode()).fetchall() for subject, query in OUTCOME.items()}


def differences(
    first: dict[str, list[tuple[Any, ...]]], second: dict[str, list[tuple[Any, ...]]]
) -> dict[str, tuple[list[Any], list[Any]]]:
    """By subject, what only the first has and what only the second has; a few of each."""
    found = {}
    for subject, rows in first.items():
        mine, yours = set(map(repr, rows)), set(map(repr, second[subject]))
        if mine != yours or len(rows) != len(second[subject]):
            found[subject] = (sorted(mine - yours)[:3], sorted(yours - mine)[:3])
    return found

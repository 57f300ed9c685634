"""Step 5, commit: everything of steps 1 to 4 and the position, or nothing.

This step writes; the road commits right after it. The batch's Merkle root stands over the raw bytes of its
events, in the order in which they are written: ``observations.leaf`` is the place of each.
"""

from __future__ import annotations

from datetime import datetime

from devices.observation import moment
from gateway.pipeline import live
from gateway.pipeline.columns import columns
from gateway.pipeline.load import Load
from gateway.pipeline.tools import Tools
from tracking.domain.ledger import merkle
from tracking.domain.tracks import FOLD_VERSION
from tracking.store import commands, record, things, told
from tracking.store.database import POSITIONS_CHANNEL, WORK_CHANNEL, Connection, notify
from tracking.store.observations import insert_late, insert_observations, insert_readings


def commit(load: Load, tools: Tools) -> None:
    """Write the batch."""
    conn, recorded_at = tools.connection, moment(load.now_us)
    _write_events(load, tools, recorded_at)
    _write_tracks(load, conn, recorded_at)
    record.open_gaps(conn, load.opened_gaps, seen_at=recorded_at)
    record.fill_gaps(conn, load.filled_gaps, filled_at=recorded_at)
    record.add_rejections(conn, list(load.rejections.values()), recorded_at=recorded_at)
    record.add_notes(conn, load.notes + _duplicate_notes(load))
    record.end_unreachable(conn, load.reached)
    if load.replay is not None:
        recorded = [
            rejection_id
            for index, rejection_id in enumerate(load.replay.rejection_ids)
            if index not in load.refused_messages
        ]
        record.mark_replayed(conn, recorded, replayed_at=recorded_at)
    _wake(load, tools)


def _write_events(load: Load, tools: Tools, recorded_at: datetime) -> None:
    conn = tools.connection
    observations, readings, ids, moved, mentions, results, work = columns(load)
    load.work += work
    if not len(observations):
        return
    batch_id = record.add_batch(
        conn,
        source=load.batch.source,
        worker=tools.worker,
        recorded_at=recorded_at,
        events=len(observations),
        root=merkle.root(observations.body),
    )
    late, fresh = observations.split(load.late_us)
    late_readings, fresh_readings = readings.split(load.late_us)
    with conn.cursor() as cursor:
        insert_observations(cursor, fresh, batch_id=batch_id, recorded_at=recorded_at)
        insert_readings(cursor, fresh_readings)
        if len(late):
            insert_late(cursor, late, late_readings, batch_id=batch_id, recorded_at=recorded_at)
    record.add_event_ids(conn, ids, recorded_at=recorded_at)
    told.add_mentions(conn, mentions)  # names everything that moves, too
    things.add_events(conn, moved, recorded_at=recorded_at)
    commands.add_results(conn, results, recorded_at=recorded_at)


def _write_tracks(load: Load, conn: Connection, recorded_at: datetime) -> None:
    record.save_states(
        conn,
        [
            (device_id, heard.state.encode(), heard.state.track.heard[0] if heard.state.track.heard else 0)
            for device_id, heard in load.heard.items()
            if heard.events or heard.refused
        ],
    )
    record.add_snapshots(conn, load.snapshots)
    record.add_milestones(
        conn,
        [
            record.MilestoneRow(device_id, one.time_us, one.kind, one.area, one.detail, *one.at)
            for device_id, one in load.milestones
        ],
        fold_version=FOLD_VERSION,
        recorded_at=recorded_at,
    )
    record.add_work(conn, load.work)
    record.bring_forward(conn, list(load.sooner.values()))


def _duplicate_notes(load: Load) -> list[record.NoteRow]:
    """One note for every device that sent again what was recorded before."""
    if load.replay is not None:
        return []
    newest = max((message.received_us for message in load.messages), default=0)
    return [
        record.NoteRow(device_id, "duplicates", newest, newest, len(heard.again), {})
        for device_id, heard in load.heard.items()
        if heard.again
    ]


def _wake(load: Load, tools: Tools) -> None:
    """Tell the judge that there is work, and the live map where a few devices are; both hear it on
    commit."""
    with tools.connection.cursor() as cursor:
        if load.work:
            notify(cursor, WORK_CHANNEL)
        newest = [
            (heard.device.name, heard.events[-1])
            for heard in load.heard.values()
            if heard.events and heard.state.track.heard == heard.events[-1].key
        ]
        payload = live.payload(newest[: tools.live.take(round(tools.steady_s() * 1_000_000), len(newest))])
        if payload:
            notify(cursor, POSITIONS_CHANNEL, payload)

-- What the record transaction reads and writes besides the series (observations.py) and the positions
-- (positions.py). Arrays run in lockstep, in the order of the row types in record.py.

-- name: hold_reference
-- Before anything else is read: an editor of areas or devices waits for us, or we for it.
select pg_advisory_xact_lock_shared(%s)

-- name: reference_revision
select revision from reference_state

-- name: devices
select d.device_id, p.code || '/' || d.code, d.dialect, d.datum, d.expected_every_s, d.revoked_at
from devices d
join parks p using (park_id)

-- name: make_states
-- In device order, so that two workers that meet devices for the first time can't wait for each other in a ring.
insert into device_tracks (device_id, state)
select device_id, %b from unnest(%b::bigint[]) as given (device_id)
order by device_id
on conflict do nothing

-- name: lock_states
-- One statement, one order: no two batches can each hold what the other waits for.
select device_id, state
from device_tracks
where device_id = any(%b)
order by device_id
for update

-- name: save_states
-- A head time of 1970 stands for none: numbers of the device were refused, and nothing was folded yet.
update device_tracks t
set state = given.state, head_time = nullif(given.head_time, 'epoch')
from unnest(%b::bigint[], %b::bytea[], %b::timestamptz[]) as given (device_id, state, head_time)
where t.device_id = given.device_id

-- name: precedents
-- What stands recorded under the numbers (or ids) of these events? same: this very event. other: another one.
-- reason: this event, as a rejection. An event that is the same has the same time, so its key finds it and one
-- partition is touched (the limit keeps the planner to an index look-up a row).
select
    given.place,
    coalesce(o.body = given.body, false),
    coalesce(o.body <> given.body, false) or exists (
        select from event_ids i
        where i.device_id = given.device_id and i.id = given.id and i.event_time <> given.event_time
    ),
    r.reason
from unnest(%b::int[], %b::bigint[], %b::timestamptz[], %b::int[], %b::bigint[], %b::text[], %b::bytea[], %b::bytea[])
    as given (place, device_id, event_time, run, seq, id, body, key)
left join lateral (
    select body
    from observations
    where device_id = given.device_id and event_time = given.event_time and run = given.run and seq = given.seq
    limit 1
) o on true
left join rejections r on r.key = given.key

-- name: recorded_at_any_time
-- For replays only: whether a number is recorded, whatever its time. It looks into every partition.
select given.place
from unnest(%b::int[], %b::bigint[], %b::int[], %b::bigint[]) as given (place, device_id, run, seq)
where exists (
    select from observations o
    where o.device_id = given.device_id and o.run = given.run and o.seq = given.seq
)

-- name: add_batch
insert into batches (source, worker, recorded_at, events, root) values (%s, %s, %s, %s, %b)
returning batch_id

-- name: add_snapshots
insert into track_snapshots (device_id, time, run, seq, state)
select * from unnest(%b::bigint[], %b::timestamptz[], %b::int[], %b::bigint[], %b::bytea[])
on conflict (device_id, time, run, seq) do update set state = excluded.state

-- name: add_milestones
insert into milestones
    (device_id, time, kind, area, detail, at_time, at_run, at_seq, fold_version, recorded_at)
select given.*, %s, %s
from unnest(
    %b::bigint[], %b::timestamptz[], %b::text[], %b::text[], %b::text[]::jsonb[],
    %b::timestamptz[], %b::int[], %b::bigint[]
) as given

-- name: add_work
-- A device has one due row, armed once and re-armed by the judge.
insert into work (kind, key, changed_from, due_at, urgent)
select kind, key, changed_from, coalesce(due_at, '-infinity'), urgent
from unnest(%b::text[], %b::bigint[], %b::timestamptz[], %b::timestamptz[], %b::bool[])
    as given (kind, key, changed_from, due_at, urgent)
on conflict (kind, key) where kind in ('device_due', 'shipment_due') do nothing

-- name: bring_forward
with held as (
    select w.work_id, given.changed_from, given.due_at
    from unnest(%b::text[], %b::bigint[], %b::timestamptz[], %b::timestamptz[])
        as given (kind, key, changed_from, due_at)
    join work w on w.kind = given.kind and w.key = given.key and w.due_at > given.due_at
    for update of w skip locked
)
update work w
set due_at = held.due_at, changed_from = held.changed_from
from held
where w.work_id = held.work_id

-- name: add_event_ids
insert into event_ids (device_id, id, seq, event_time, recorded_at)
select given.*, %s
from unnest(%b::bigint[], %b::text[], %b::bigint[], %b::timestamptz[]) as given
on conflict (device_id, id) do nothing

-- name: open_gaps
-- A gap that shrinks at its end keeps the moment at which it was first seen.
insert into sequence_gaps (device_id, run, first_seq, last_seq, seen_at)
select given.*, %s
from unnest(%b::bigint[], %b::int[], %b::bigint[], %b::bigint[]) as given
on conflict (device_id, run, first_seq) do update set last_seq = excluded.last_seq, filled_at = null

-- name: fill_gaps
update sequence_gaps g
set filled_at = %s
from unnest(%b::bigint[], %b::int[], %b::bigint[], %b::bigint[]) as given (device_id, run, first_seq, last_seq)
where g.device_id = given.device_id and g.run = given.run and g.first_seq = given.first_seq

-- name: add_rejections
insert into rejections
    (key, topic, payload, properties, reason, detail, device_id, run, seq, received_at, leaf, recorded_at)
select given.*, %s
from unnest(
    %b::bytea[], %b::text[], %b::bytea[], %b::text[]::jsonb[], %b::text[], %b::text[],
    %b::bigint[], %b::int[], %b::bigint[], %b::timestamptz[], %b::text[]
) as given
on conflict (key) do nothing

-- name: mark_replayed
update rejections set replayed_at = %s where rejection_id = any(%b)

-- name: add_notes
insert into arrival_notes (device_id, kind, first_at, last_at, count, detail)
select * from unnest(
    %b::bigint[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::bigint[], %b::text[]::jsonb[]
)

-- name: end_unreachable
-- A note that lasts has its ends at the moment of its beginning, and doesn't say that it has ended.
update arrival_notes n
set last_at = greatest(given.at, n.first_at), detail = n.detail || '{"ended": true}'
from unnest(%b::bigint[], %b::timestamptz[]) as given (device_id, at)
where n.device_id = given.device_id and n.kind = 'unreachable' and not n.detail ? 'ended'

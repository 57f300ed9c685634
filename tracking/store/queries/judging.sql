-- What the judge gathers and writes, beside work, findings, alerts and outbox, which have their own files.

-- name: leave_shipments
insert into work (kind, key, changed_from, urgent)
select 'shipment', shipment_id, %(since)s, %(urgent)s from unnest(%(ids)s::bigint[]) as given (shipment_id)

-- name: lock_shipments
-- In order, so that no two judges can each hold what the other waits for. Whose evidence has gone into an archive and
-- has been dropped here stays as it was judged.
select s.shipment_id, s.number, p.code, s.closed_at
from shipments s join parks p using (park_id)
where s.shipment_id = any(%(ids)s)
  and not exists (select from archives a where a.shipment_id = s.shipment_id and a.dropped_at is not null)
order by s.shipment_id
for no key update of s

-- name: terms_of
select shipment_id, revision, valid_from, body from terms where shipment_id = any(%(ids)s)
order by shipment_id, revision

-- name: milestones_of
-- The milestones within each carriage, and before it the newest of every kind and area: how things stood when it
-- began. The recursion hops from area to area along the index instead of reading a device's whole history.
select c.place, m.time, m.kind, m.area, m.detail, m.at_time, m.at_run, m.at_seq
from unnest(%(device_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
    with ordinality as c (device_id, begins, ends, place)
cross join lateral (
    select time, kind, area, detail, at_time, at_run, at_seq
    from milestones
    where device_id = c.device_id and superseded_at is null and kind = any(%(kinds)s)
      and time > c.begins and time < coalesce(c.ends, 'infinity')
    union all
    select before.*
    from (
        with recursive came (kind, area) as (
            select k.kind, (
                select min(area) from milestones
                where device_id = c.device_id and superseded_at is null and kind = k.kind
            )
            from (values ('entered'), ('returned')) as k (kind)
            union all
            select came.kind, (
                select min(area) from milestones
                where device_id = c.device_id and superseded_at is null and kind = came.kind and area > came.area
            )
            from came
            where came.area is not null
        )
        select came.area, went.kind
        from came
        join (values ('entered', 'entered'), ('entered', 'left'), ('returned', 'returned'), ('returned', 'strayed'))
            as went (came, kind) on went.came = came.kind
        where came.area is not null
    ) stood
    cross join lateral (
        select time, kind, area, detail, at_time, at_run, at_seq
        from milestones
        where device_id = c.device_id and superseded_at is null and kind = stood.kind and area = stood.area
          and time <= c.begins
        order by time desc
        limit 1
    ) before
    union all
    select before.*
    from unnest(%(standing)s::text[]) as spoke (kind)
    cross join lateral (
        select time, kind, area, detail, at_time, at_run, at_seq
        from milestones
        where device_id = c.device_id and superseded_at is null and kind = spoke.kind and area is null
          and time <= c.begins
        order by area, time desc  -- the index's own order: a device that was never silent has all its history in the other
        limit 1
    ) before
) m
order by c.place, m.time, m.at_time, m.at_run, m.at_seq, m.kind, m.area

-- name: gaps
-- Silences longer than asked that begin within the window, with the observation that ended each. The plain bounds on
-- event_time let whole partitions and chunks be passed over.
select last_heard, heard
from (
    select event_time as heard, lag(event_time) over (order by event_time, run, seq) as last_heard
    from counted_observations
    where device_id = %(device_id)s and event_time >= %(begins)s
      and event_time <= coalesce(
          (select event_time from counted_observations where device_id = %(device_id)s and event_time >= %(ends)s
           order by event_time limit 1),
          'infinity')
) spoken
where heard - last_heard > make_interval(secs => %(longer_than_s)s)

-- name: reference_revision
select revision from reference_state

-- name: gates
-- A gate's device is the one in its park that has its code.
select a.code, d.device_id, p.code || '/' || d.code, d.expected_every_s, t.head_time
from areas a
join devices d on d.park_id = a.park_id and d.code = a.code
join parks p on p.park_id = a.park_id
left join device_tracks t using (device_id)
where a.code = any(%(codes)s)

-- name: area_revisions
-- What areas are, and where gates are. A revision without geometry says that the area has ended.
select
    a.code, a.kind, coalesce(r.properties -> 'bonded' = 'true', false), r.properties ->> 'parent', r.revision,
    r.valid_from, r.valid_to, r.properties, case a.kind when 'gate' then r.geometry end
from area_revisions r join areas a using (area_id)
where r.geometry is not null and (r.valid_to is null or r.valid_to > r.valid_from)

-- name: put_custody_states
insert into custody_states (shipment_id, state, judged_through, rules_version, recorded_at)
select g.shipment_id, g.state::jsonb, %(judged_through)s, %(rules_version)s, %(recorded_at)s
from unnest(%(shipment_ids)b::bigint[], %(states)b::text[]) as g (shipment_id, state)
on conflict (shipment_id) do update
set state = excluded.state, judged_through = excluded.judged_through, rules_version = excluded.rules_version,
    recorded_at = excluded.recorded_at

-- name: tell_custody
select count(pg_notify(%(channel)s, payload)) from unnest(%(payloads)s::text[]) as told (payload)

-- name: device_profiles
-- What a re-fold must know of a device.
select d.device_id, p.code || '/' || d.code, d.dialect, d.datum, d.expected_every_s
from devices d join parks p using (park_id)
where d.device_id = any(%(ids)s)

-- name: replan
-- Places have changed from a moment on: whoever was heard since is folded again, and judged again in any case.
with concerned as (
    select device_id from device_tracks where head_time >= %(changed_from)s
), planned as (
    insert into work (kind, key, changed_from)
    select kind, device_id, %(changed_from)s from concerned, (values ('refold'), ('device')) as k (kind)
)
select count(*) from concerned

-- name: refolds_waiting
select count(distinct key) from work where kind = 'refold'

-- name: oldest_ready
-- How long the oldest work has been ready, by the watermark: due rows by their moment, others by when they changed.
select min(greatest(due_at, changed_from)) from work
where due_at <= coalesce(%(watermark)s::timestamptz, '-infinity')

-- name: forget_event_ids
delete from event_ids where recorded_at < %(before)s

-- name: try_lock
select pg_try_advisory_xact_lock(%(lock)s)

-- name: standing_dues
select key, due_at from work where kind = %(kind)s and key = any(%(keys)s)

-- name: hold_dues
-- Rows that another judge has taken are passed over: it looks at the same device or shipment after us, and settles.
select key from work where kind = %(kind)s and key = any(%(keys)s) for update skip locked

-- name: move_dues
update work w set due_at = given.due_at, changed_from = given.due_at
from unnest(%(keys)s::bigint[], %(dues)s::timestamptz[]) as given (key, due_at)
where w.kind = %(kind)s and w.key = given.key

-- name: drop_dues
delete from work where kind = %(kind)s and key = any(%(keys)s)

-- name: add_dues
insert into work (kind, key, changed_from, due_at)
select %(kind)s, key, due_at, due_at from unnest(%(keys)s::bigint[], %(dues)s::timestamptz[]) as given (key, due_at)
on conflict (kind, key) where kind in ('device_due', 'shipment_due') do nothing

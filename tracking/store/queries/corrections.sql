-- What people say was observed wrongly, and what they take back of it.

-- name: lock_device
-- Whoever corrects or retracts something of the same device waits.
select d.device_id from devices d join parks p using (park_id)
where p.code || '/' || d.code = %(device)s
for no key update of d

-- name: recorded
-- Which of these observations are recorded.
select asked.place
from unnest(%(devices)s::text[], %(times)s::timestamptz[], %(runs)s::int[], %(seqs)s::bigint[])
    with ordinality as asked (device, time, run, seq, place)
join parks p on p.code = split_part(asked.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(asked.device, '/', 2)
join observations o on o.device_id = d.device_id and o.event_time = asked.time and o.run = asked.run and o.seq = asked.seq
order by asked.place

-- name: recorded_elsewhen
-- At another time. It looks into every partition, for whoever has mistaken the time.
select event_time from observations where device_id = %(device_id)s and run = %(run)s and seq = %(seq)s limit 1

-- name: rejected
select rejection_id, reason from rejections
where device_id = %(device_id)s and run = %(run)s and seq = %(seq)s
order by rejection_id limit 1

-- name: add
insert into corrections (device_id, event_time, run, seq, reason, why, corrective, by, recorded_at)
values (%(device_id)s, %(time)s, %(run)s, %(seq)s, %(reason)s, %(why)s, %(corrective)s, %(by)s, %(recorded_at)s)
returning entry

-- name: add_retraction
insert into retractions (correction, why, by, recorded_at)
values (%(correction)s, %(why)s, %(by)s, %(recorded_at)s)
returning entry

-- name: leave_work
-- As for an observation that came late: its device is folded again from it on; what it said of things in things is
-- folded again; whoever it was about, and whatever its device was on since, is judged again; a gate looks whether
-- there is somebody to be decided about.
with corrected as (
    select * from corrections where entry = %(entry)s
), named as (
    select m.thing_id, m.is_parent, m.kind
    from corrected c
    join mentions m on m.device_id = c.device_id and m.run = c.run and m.seq = c.seq and m.event_time = c.event_time
)
insert into work (kind, key, changed_from, due_at)
select owed.kind, owed.key, c.event_time, owed.due_at
from corrected c
cross join lateral (
    select 'refold' as kind, c.device_id as key, c.event_time as due_at
    union all
    select 'device', c.device_id, '-infinity'
    union all
    select 'gate', c.device_id, '-infinity' where exists (select from named where kind = 5)
    union all
    select case when is_parent then 'goods' else 'contents' end, thing_id, '-infinity' from named where thing_id is not null
    union all
    select distinct 'thing', e.child_id, '-infinity'::timestamptz
    from named
    join containment_events e
      on e.child_id = named.thing_id and e.event_time = c.event_time
     and e.device_id = c.device_id and e.run = c.run and e.seq = c.seq
) owed

-- name: listed
-- Newest first; with what took them back.
select c.entry, p.code || '/' || d.code, c.event_time, c.run, c.seq, c.reason, c.why, c.corrective, c.by, c.recorded_at,
       r.entry, r.why, r.by, r.recorded_at
from corrections c
join devices d using (device_id) join parks p using (park_id)
left join retractions r on r.correction = c.entry
where (%(entries)s::bigint[] is null or c.entry = any(%(entries)s))
  and (%(device)s::text is null or p.code || '/' || d.code = %(device)s)
  and (%(before)s::bigint is null or c.entry < %(before)s)
order by c.entry desc
limit %(limit)s

-- name: of_observations
select c.entry
from unnest(%(devices)s::text[], %(times)s::timestamptz[], %(runs)s::int[], %(seqs)s::bigint[])
    as asked (device, time, run, seq)
join parks p on p.code = split_part(asked.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(asked.device, '/', 2)
join corrections c on c.device_id = d.device_id and c.event_time = asked.time and c.run = asked.run and c.seq = asked.seq

-- name: concerning
-- Those of what devices said while they carried a shipment, of what was said of its things while they were aboard, and
-- of what was said of its passes and papers at any time.
select c.entry
from unnest(%(device_ids)s::bigint[], %(by_begins)s::timestamptz[], %(by_ends)s::timestamptz[]) as g (device_id, begins, ends)
join corrections c
  on c.device_id = g.device_id and c.event_time >= g.begins and c.event_time <= coalesce(g.ends, 'infinity')
union
select c.entry
from corrections c
join mentions m on m.device_id = c.device_id and m.run = c.run and m.seq = c.seq and m.event_time = c.event_time
join unnest(%(thing_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) as g (thing_id, begins, ends)
  on g.thing_id = m.thing_id and m.event_time >= g.begins and m.event_time <= coalesce(g.ends, 'infinity')
union
select c.entry
from document_links l
join things t on t.thing_id = l.thing_id and t.kind = 'pass'
join mentions m on m.thing_id = t.thing_id
join corrections c on c.device_id = m.device_id and c.run = m.run and c.seq = m.seq and c.event_time = m.event_time
where l.entry = any(%(papers)s::bigint[])
union
select c.entry
from document_links l join corrections c on c.device_id = l.device_id and c.run = l.run and c.seq = l.seq
where l.entry = any(%(papers)s::bigint[])

-- name: standing_of_device
select event_time, run, seq from standing_corrections where device_id = %(device_id)s

-- name: unrecorded
-- Corrections of what isn't there.
select c.entry from corrections c
where not exists (
    select from observations o
    where o.device_id = c.device_id and o.event_time = c.event_time and o.run = c.run and o.seq = c.seq
)
order by c.entry

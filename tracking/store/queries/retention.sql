-- What is dropped because of its age, and what is archived.

-- name: custodies
-- A page of these shipments (null: all), and as of when an archive has them (null: none has).
select s.shipment_id, a.taken_at
from shipments s left join archives a using (shipment_id)
where (%(ids)s::bigint[] is null or s.shipment_id = any(%(ids)s)) and s.shipment_id > %(after)s
order by s.shipment_id limit %(limit)s

-- name: corrected
-- A page of what was ever declared to be in error, whether that was taken back or not.
select entry, device_id, event_time from corrections
where entry > %(after)s
order by entry limit %(limit)s

-- name: weeks
-- The Mondays of the weeks of which something is there, before a moment.
select distinct date_trunc('week', event_time)
from (select event_time from observations where event_time < %(before)s
      union all select event_time from readings where event_time < %(before)s) rows
order by 1

-- name: devices_of_week
-- Whose events are there; and whether a fold may still need them: the device has spoken since, and no snapshot lies
-- between the week and the oldest event that may yet arrive. And when the last of it was recorded.
select d.device_id,
       coalesce(t.head_time >= %(ends)s, false) and not exists (
           select from track_snapshots s
           where s.device_id = d.device_id and s.time >= %(ends)s and s.time < %(floor)s
       ),
       d.newest
from (
    select device_id, max(recorded_at) as newest from observations
    where event_time >= %(week)s and event_time < %(ends)s
    group by device_id
) d
left join device_tracks t using (device_id)
order by d.device_id

-- name: leaves_of_week
-- The events that go, as leaves of their batches.
select batch_id, leaf from observations
where event_time >= %(week)s and event_time < %(ends)s and device_id = any(%(devices)s)
order by batch_id, leaf

-- name: batch_leaves
select batch_id, leaf, sha256('\x00'::bytea || body) from observations where batch_id = any(%(batches)s)

-- name: batch_sizes
select batch_id, events from batches where batch_id = any(%(batches)s)

-- name: gone_of
select batch_id, begins, ends, hash from dropped where batch_id = any(%(batches)s)

-- name: forget_gone
delete from dropped where batch_id = any(%(batches)s)

-- name: add_gone
insert into dropped (batch_id, begins, ends, hash)
select * from unnest(%(batches)b::bigint[], %(begins)b::int[], %(ends)b::int[], %(hashes)b::bytea[])

-- name: delete_observations
delete from observations
where event_time >= %(week)s and event_time < %(ends)s and device_id = any(%(devices)s)

-- name: delete_readings
delete from readings
where event_time >= %(week)s and event_time < %(ends)s and device_id = any(%(devices)s)

-- name: note_devices
insert into dropped_devices (device_id, through)
select device_id, %(ends)s from unnest(%(devices)s::bigint[]) as given (device_id)
on conflict (device_id) do update set through = greatest(dropped_devices.through, excluded.through)

-- name: note_archives
update archives set dropped_at = coalesce(dropped_at, %(at)s) where shipment_id = any(%(shipments)s)

-- name: add_retention
insert into retentions (week, events, devices, kept, by, recorded_at)
values (%(week)s, %(events)s, %(devices)s, %(kept)s, %(by)s, %(at)s)

-- name: dropped_through
select through from dropped_devices where device_id = %(device_id)s

-- name: to_archive
-- Closed before a moment, and not archived yet.
select s.shipment_id, s.number, p.code
from shipments s join parks p using (park_id)
where s.closed_at < %(before)s and not exists (select from archives a where a.shipment_id = s.shipment_id)
order by s.closed_at, s.shipment_id

-- name: oldest_running
-- When the oldest transaction began that may still add what a snapshot taken from now on doesn't see.
select min(xact_start) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()

-- name: add_archive
insert into archives (shipment_id, digest, events, by, taken_at, recorded_at)
values (%(shipment_id)s, %(digest)s, %(events)s, %(by)s, %(taken_at)s, %(at)s)
on conflict (shipment_id) do nothing

-- name: observations_of
-- Of these devices, within their intervals, with where each stands in its batch.
select p.code || '/' || d.code, o.event_time, o.run, o.seq, k.name, o.received_at, o.recorded_at, o.batch_id, o.leaf,
       o.lon, o.lat, o.accuracy_m, o.speed_mps, o.heading_deg, o.thing, o.body
from unnest(%(devices)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) as e (device_id, begins, ends)
join observations o on o.device_id = e.device_id and o.event_time >= e.begins
     and o.event_time < coalesce(e.ends, 'infinity')
join observation_kinds k on k.kind = o.kind
join devices d on d.device_id = o.device_id join parks p using (park_id)
order by 1, 2, 3, 4

-- name: readings_of
select p.code || '/' || d.code, r.event_time, r.run, r.seq, r.quantity, r.value
from unnest(%(devices)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) as e (device_id, begins, ends)
join readings r on r.device_id = e.device_id and r.event_time >= e.begins and r.event_time < coalesce(e.ends, 'infinity')
join devices d on d.device_id = r.device_id join parks p using (park_id)
order by 1, 2, 3, 4, 5

-- name: milestones_told
select p.code || '/' || d.code, m.time, m.kind, m.area, m.detail::text, m.at_time, m.at_run, m.at_seq
from unnest(%(devices)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) as e (device_id, begins, ends)
join milestones m on m.device_id = e.device_id and m.superseded_at is null and m.time >= e.begins
     and m.time < coalesce(e.ends, 'infinity')
join devices d on d.device_id = m.device_id join parks p using (park_id)
order by 1, 2, 3, 4

-- name: findings_of
-- Every version of every finding, with its number in the ledger.
select f.finding_id, l.number, f.rule, f.rules_version, f.cause, f.verdict, f.state, f.severity, f.opened_at, f.closed_at,
       f.evidence::text, f.parameters::text, f.terms_revision, f.recorded_at, f.superseded_at
from findings f left join ledger l using (finding_version)
where f.shipment_id = %(shipment_id)s order by f.finding_version

-- What benchmarks ask of a database that they filled.

-- name: recorded_rows
-- Rows as they were inserted, in the order of their batches.
select device_id, (extract(epoch from event_time) * 1000000)::bigint, run, seq, kind,
       (extract(epoch from received_at) * 1000000)::bigint, lon, lat, accuracy_m, speed_mps, heading_deg, thing,
       body, leaf
from observations
order by batch_id, leaf
limit %(limit)s;

-- name: counts
-- Recorded events, and how many of them were recorded twice.
select count(*), count(*) - count(distinct (device_id, run, seq))
from observations;

-- name: recorded
-- From the batches: a count of the rows themselves would compete with what is measured.
select coalesce(sum(events), 0) from batches;

-- name: batch_sizes
select percentile_disc(0.5) within group (order by events) from batches;

-- name: first_fixes
-- Just after the oldest observations of a device, where it was then: (ms, lon, lat, m/s).
select (extract(epoch from event_time) * 1000)::bigint + 1, lon, lat, speed_mps
from observations
where device_id = %(device_id)s
order by event_time, run, seq
offset 100
limit %(limit)s;

-- name: judge_in_transaction
select count(*)
from pg_stat_activity
where application_name like 'bondwatch-judge%%' and xact_start is not null;

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

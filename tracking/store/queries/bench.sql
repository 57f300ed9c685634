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
-- Recorded events, each counted once, and how many rows there are beyond those.
select count(distinct (device_id, run, seq)), count(*) - count(distinct (device_id, run, seq))
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

-- name: fill_devices
-- Trackers of a park, numbered from 1; the keys of those that are new.
insert into devices (park_id, code, kind, name, expected_every_s, registered_at)
select p.park_id, %(prefix)s::text || lpad(n::text, 6, '0'), 'tracker', '', 86400, %(since)s
from parks p, generate_series(1, %(devices)s::int) n
where p.code = %(park)s
returning device_id;

-- name: fill_tracks
insert into device_tracks (device_id, state, head_time)
select * from unnest(%(devices)s::bigint[], %(states)s::bytea[], %(times)s::timestamptz[]);

-- name: fill_observations
-- Positions of all filled devices in turn, one after the other in time; of 90 bytes each, as devices send them.
insert into observations
    (device_id, event_time, seq, received_at, recorded_at, batch_id, lon, lat, run, leaf, accuracy_m, speed_mps,
     heading_deg, kind, body)
select %(first)s::bigint + n %% %(devices)s::bigint, at.time, n / %(devices)s::bigint + 1, at.time, at.time, 0,
       120.5 + (n %% 10007) / 10007.0, 31.0 + (n %% 7001) / 10001.0, 1, (n %% 1000)::int, 8, 12, 90, 1,
       convert_to(format('{"run":1,"seq":%%s,"time":%%s,"type":"position","lon":120.7,"lat":31.3,"accuracy_m":8}',
                         n / %(devices)s::bigint + 1, (extract(epoch from at.time) * 1000)::bigint), 'UTF8')
from generate_series(%(from)s::bigint, %(to)s::bigint - 1) n,
     lateral (select %(since)s::timestamptz + n * %(step)s::interval as time) at;

-- name: fill_trucks
insert into things (uri, kind, label)
select 'urn:bondwatch:thing:TRUCK:' || n, 'vehicle', 'FILT' || lpad(n::text, 4, '0')
from generate_series(0, %(trucks)s::int - 1) n;

-- name: fill_shipments
-- Each with a reference and a container of its own, which was in a truck for a day.
with numbered as (
    select n, 'FILL-' || lpad(n::text, 8, '0') as number, 'QD2314' || lpad(n::text, 8, '0') as reference
    from generate_series(%(from)s::bigint, %(to)s::bigint - 1) n
), boxes as (
    insert into things (uri, kind, label)
    select 'urn:bondwatch:thing:FILL:' || n, 'container', 'FILU' || lpad(n::text, 7, '0') from numbered
    returning thing_id, label
), made as (
    insert into shipments (park_id, number, reference, created_at)
    select p.park_id, number, reference, %(since)s::timestamptz + n * interval '1 second'
    from numbered, parks p where p.code = %(park)s
    returning shipment_id, number, created_at
), carried as (
    insert into containments (child_id, parent_id, valid_from, valid_to, began, ended, recorded_at)
    select boxes.thing_id, trucks.thing_id, made.created_at, made.created_at + interval '1 day', '{}', '{}', made.created_at
    from made
    join boxes on right(made.number, 7) = right(boxes.label, 7)
    join things trucks on trucks.uri = 'urn:bondwatch:thing:TRUCK:' || right(made.number, 7)::int %% %(trucks)s::int
)
insert into shipment_things (shipment_id, thing_id, valid_from, recorded_at)
select made.shipment_id, boxes.thing_id, made.created_at, made.created_at
from made join boxes on right(made.number, 7) = right(boxes.label, 7);

-- name: size_and_log
-- Bytes of the whole database and of both series in it, and how far the write-ahead log has come.
select pg_database_size(current_database()),
       (select sum(pg_total_relation_size(inhrelid)) from pg_inherits
        where inhparent in ('observations'::regclass, 'readings'::regclass))::bigint,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint;

-- name: mean_body
select avg(length(body))::float8 from observations;

-- name: many_devices
-- Registered and never heard.
insert into devices (park_id, code, registered_at)
select park_id, 'SILENT-' || number, %(at)s from parks, generate_series(1, %(count)s) as number
where parks.code = %(park)s;

-- name: log_size
select coalesce(max(index) + 1, 0) from log;

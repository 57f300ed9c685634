-- Observations and readings, as TimescaleDB hypertables: chunks of a week, compressed outside the late window of 30 days.
-- The twin of this file makes the same tables, columns, keys and views with native partitions.
-- Fixed-width columns stand first, wide before narrow, so that no row is padded. No foreign keys here: a batch has
-- locked the rows of its devices before it inserts, and a check per row would cost more than the row.

create extension if not exists timescaledb;

-- The numbers are stored; tracking/store/kinds.py holds the same table, and a test compares them.
create table observation_kinds (
    kind    smallint primary key,
    name    text not null unique
);
insert into observation_kinds values
    (1, 'position'), (2, 'scan'), (3, 'reading'), (4, 'seal'), (5, 'gate'), (6, 'handover'), (7, 'status'), (8, 'result');

create table observations (
    device_id   bigint not null,
    event_time  timestamptz not null,       -- by the device's clock
    seq         bigint not null,
    received_at timestamptz not null,       -- by the broker
    recorded_at timestamptz not null,       -- by the worker that committed it
    batch_id    bigint not null,
    lon         double precision,           -- positions only, WGS-84
    lat         double precision,
    run         int not null,
    leaf        int not null,               -- place in the batch's Merkle tree
    accuracy_m  real,
    speed_mps   real,
    heading_deg real,
    kind        smallint not null,          -- observation_kinds
    thing       text,                       -- what it is about, where the event names it; else the attachment decides
    body        bytea not null,             -- the event's own bytes
    primary key (device_id, event_time, run, seq)
);
create index on observations (thing, event_time) where thing is not null;
select create_hypertable('observations', by_range('event_time', interval '7 days'), create_default_indexes => false);

create table readings (
    device_id   bigint not null,
    event_time  timestamptz not null,
    seq         bigint not null,
    value       double precision not null,
    run         int not null,
    quantity    text not null,              -- with its unit: temperature_c, shock_g
    primary key (device_id, quantity, event_time, run, seq)
);
select create_hypertable('readings', by_range('event_time', interval '7 days'), create_default_indexes => false);

-- A chunk is compressed when its newest possible row has left the late window. Older arrivals take the slow path
-- (tracking/store/observations.py, insert_late), and the policy compresses their chunks again.
alter table observations set (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_id',
    timescaledb.compress_orderby = 'event_time, run, seq'
);
alter table readings set (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_id, quantity',
    timescaledb.compress_orderby = 'event_time, run, seq'
);
select add_compression_policy('observations', compress_after => interval '30 days');
select add_compression_policy('readings', compress_after => interval '30 days');

create materialized view positions_hourly
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    device_id,
    time_bucket(interval '1 hour', event_time) as hour,
    count(*) as positions,
    max(event_time) as last_time,
    last(lon, event_time) as last_lon,
    last(lat, event_time) as last_lat,
    max(speed_mps) as max_speed_mps
from observations
where kind = 1
group by device_id, time_bucket(interval '1 hour', event_time)
with no data;

create materialized view readings_hourly
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    device_id,
    quantity,
    time_bucket(interval '1 hour', event_time) as hour,
    count(*) as readings,
    min(value) as min_value,
    max(value) as max_value,
    avg(value) as avg_value
from readings
group by device_id, quantity, time_bucket(interval '1 hour', event_time)
with no data;

-- From the late window (and a chunk) back up to the hour that is still filling; what is newer is computed when read.
select add_continuous_aggregate_policy('positions_hourly',
    start_offset => interval '37 days', end_offset => interval '1 hour', schedule_interval => interval '30 minutes');
select add_continuous_aggregate_policy('readings_hourly',
    start_offset => interval '37 days', end_offset => interval '1 hour', schedule_interval => interval '30 minutes');

-- Retention is off: what was recorded stays until someone says otherwise (partitions.drop_before).

-- Observations and readings, as range partitions by ISO week (tracking/store/partitions.py makes them).
-- The twin of this file makes the same tables, columns, keys and views as hypertables.
-- Fixed-width columns stand first, wide before narrow, so that no row is padded. No foreign keys here: a batch has
-- locked the rows of its devices before it inserts, and a check per row would cost more than the row.

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
) partition by range (event_time);
create index on observations (thing, event_time) where thing is not null;

create table readings (
    device_id   bigint not null,
    event_time  timestamptz not null,
    seq         bigint not null,
    value       double precision not null,
    run         int not null,
    quantity    text not null,              -- with its unit: temperature_c, shock_g
    primary key (device_id, quantity, event_time, run, seq)
) partition by range (event_time);

create view positions_hourly as
select
    device_id,
    date_trunc('hour', event_time, 'UTC') as hour,
    count(*) as positions,
    max(event_time) as last_time,
    (array_agg(lon order by event_time desc, run desc, seq desc))[1] as last_lon,
    (array_agg(lat order by event_time desc, run desc, seq desc))[1] as last_lat,
    max(speed_mps) as max_speed_mps
from observations
where kind = 1
group by device_id, date_trunc('hour', event_time, 'UTC');

create view readings_hourly as
select
    device_id,
    quantity,
    date_trunc('hour', event_time, 'UTC') as hour,
    count(*) as readings,
    min(value) as min_value,
    max(value) as max_value,
    avg(value) as avg_value
from readings
group by device_id, quantity, date_trunc('hour', event_time, 'UTC');

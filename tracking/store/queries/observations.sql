-- Observations and readings. The arrays run in lockstep: row i takes element i of each.

-- name: insert_observations
-- Unnesting in the select list streams; "from unnest(a, b, ..)" would first store every array as a row set (0.75x).
insert into observations (
    device_id, event_time, seq, received_at, lon, lat, run, leaf, accuracy_m, speed_mps, heading_deg, kind, thing, body,
    recorded_at, batch_id
)
select
    unnest(%b::bigint[]), unnest(%b::timestamptz[]), unnest(%b::bigint[]), unnest(%b::timestamptz[]),
    unnest(%b::double precision[]), unnest(%b::double precision[]), unnest(%b::int[]), unnest(%b::int[]),
    unnest(%b::real[]), unnest(%b::real[]), unnest(%b::real[]), unnest(%b::smallint[]), unnest(%b::text[]),
    unnest(%b::bytea[]),
    %b::timestamptz, %b::bigint

-- name: insert_readings
insert into readings (device_id, event_time, seq, value, run, quantity)
select
    unnest(%b::bigint[]), unnest(%b::timestamptz[]), unnest(%b::bigint[]), unnest(%b::double precision[]),
    unnest(%b::int[]), unnest(%b::text[])

-- name: lift_decompression_limit
-- For this transaction, and only where TimescaleDB is.
select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)
where exists (select from pg_extension where extname = 'timescaledb')

-- name: load_observations
-- What counts, to be folded.
-- The plain bounds on event_time let whole partitions and chunks be passed over; a row comparison alone does not.
select event_time, run, seq, kind, received_at, lon, lat, thing, body
from counted_observations
where device_id = %(device_id)s
  and event_time >= %(after_time)s and event_time <= %(upto_time)s
  and (event_time, run, seq) > (%(after_time)s, %(after_run)s, %(after_seq)s)
  and (event_time, run, seq) <= (%(upto_time)s, %(upto_run)s, %(upto_seq)s)
order by event_time, run, seq

-- The raw messages that findings rest on.

-- name: observed
-- Observations by their natural keys.
select p.code || '/' || d.code as device, o.event_time as time, o.run, o.seq, o.kind, o.received_at, o.recorded_at,
       o.batch_id as batch, o.leaf, d.dialect, o.body
from unnest(%(devices)s::text[], %(times)s::timestamptz[], %(runs)s::int[], %(seqs)s::bigint[])
    as cited (device, time, run, seq)
join parks p on p.code = split_part(cited.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(cited.device, '/', 2)
join observations o on o.device_id = d.device_id and o.event_time = cited.time and o.run = cited.run and o.seq = cited.seq
order by o.event_time, device, o.run, o.seq;

-- name: heard_at
-- The observations of devices at moments: those on either side of a silence.
select p.code || '/' || d.code as device, o.event_time as time, o.run, o.seq, o.kind, o.received_at, o.recorded_at,
       o.batch_id as batch, o.leaf, d.dialect, o.body
from unnest(%(devices)s::text[], %(times)s::timestamptz[]) as cited (device, time)
join parks p on p.code = split_part(cited.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(cited.device, '/', 2)
join observations o on o.device_id = d.device_id and o.event_time = cited.time
order by o.event_time, device, o.run, o.seq;

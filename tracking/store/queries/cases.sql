-- What bounds a silence.

-- name: heard_at
-- The observations of devices at moments.
select p.code || '/' || d.code, o.event_time, o.run, o.seq
from unnest(%(devices)s::text[], %(times)s::timestamptz[]) as asked (device, time)
join parks p on p.code = split_part(asked.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(asked.device, '/', 2)
join observations o on o.device_id = d.device_id and o.event_time = asked.time
order by o.event_time, 1, o.run, o.seq

-- Where things were.

-- name: positions
-- The positions of some devices that count, each within its interval, in event-time order.
select c.device, o.event_time, o.lon, o.lat, o.accuracy_m, o.speed_mps, o.heading_deg, o.run, o.seq
from unnest(%(devices)s::bigint[], %(names)s::text[], %(froms)s::timestamptz[], %(tos)s::timestamptz[])
     as c (device_id, device, valid_from, valid_to)
join counted_observations o on o.device_id = c.device_id
 and o.event_time >= c.valid_from and o.event_time < coalesce(c.valid_to, 'infinity')
where o.lon is not null
  and o.event_time >= %(since)s and o.event_time < %(until)s
order by o.event_time, c.device_id, o.run, o.seq
limit %(limit)s;

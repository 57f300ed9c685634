-- Whom a rehearsal concerns.

-- name: shipments
select s.shipment_id, s.number, p.code, s.closed_at
from shipments s join parks p using (park_id)
where case when cardinality(%(numbers)s::text[]) > 0 then s.number = any(%(numbers)s)
           else s.closed_at is null or s.closed_at > %(since)s end
order by s.shipment_id

-- name: device_ids
select d.device_id from devices d join parks p using (park_id) where p.code || '/' || d.code = any(%(names)s)

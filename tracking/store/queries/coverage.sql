-- What coverage asks of the record: whom sums are about, and what is signed.

-- name: shipments
-- A page of those under custody during [since, until), whose terms had begun by then.
select s.shipment_id, s.number, p.code, s.closed_at
from shipments s join parks p using (park_id)
where s.shipment_id > %(after)s
  and (s.closed_at is null or s.closed_at > %(since)s)
  and exists (select from terms t where t.shipment_id = s.shipment_id and t.valid_from < %(until)s)
order by s.shipment_id
limit %(limit)s

-- name: shipment
select s.shipment_id, s.number, p.code, s.closed_at from shipments s join parks p using (park_id) where s.number = %(number)s

-- name: newest_leaf
-- Of a batch. Leaves are appended together with the signed head above them, so each stands below one.
select max(key) from log where kind = 'batch'

-- name: unsigned_batches
-- A batch may be committed after one that began later: so far back, they are looked for one by one.
select b.batch_id from batches b
where b.batch_id > %(newest)s::bigint - %(reach)s::bigint
  and not exists (select from log l where l.kind = 'batch' and l.key = b.batch_id)

-- name: signed_until
-- Of devices with observations that aren't signed: the last one before them.
select d.code_name, (select max(o.event_time) from observations o
                     where o.device_id = u.device_id and o.event_time < u.earliest)
from (select device_id, min(event_time) as earliest from observations
      where batch_id = any(%(batches)s) and event_time >= %(since)s group by device_id) u
join (select device_id, p.code || '/' || d.code as code_name from devices d join parks p using (park_id)) d
  using (device_id)
where d.code_name = any(%(devices)s)

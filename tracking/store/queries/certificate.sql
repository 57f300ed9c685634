-- What a certificate is made of: which rows of the log, and which events.

-- name: keys
-- The rows of the log that a shipment's custody rests on, beside the batches of its events.
select 'shipment' as kind, shipment_id as key from shipments where shipment_id = %(shipment_id)s
union all
select 'closing', shipment_id from shipments where shipment_id = %(shipment_id)s and closed_at is not null
union all
select 'goods', entry from shipment_things where shipment_id = %(shipment_id)s
union all
select 'terms', entry from terms where shipment_id = %(shipment_id)s
union all
select 'park_rules', r.entry from park_rules r join shipments s using (park_id) where s.shipment_id = %(shipment_id)s
union all
select 'custody', finding_version from findings where shipment_id = %(shipment_id)s
union all
select 'decision', entry from decisions where shipment_id = %(shipment_id)s
union all
select 'action', a.action_id from alert_actions a join alerts using (alert_id) where shipment_id = %(shipment_id)s
order by 1, 2

-- name: places
select key, index from log where kind = %(kind)s and key = any(%(keys)s) and index < %(size)s

-- name: events
select p.code || '/' || d.code as device, o.event_time, o.run, o.seq, d.dialect, o.batch_id, o.leaf, o.body
from unnest(%(devices)s::text[], %(times)s::timestamptz[], %(runs)s::int[], %(seqs)s::bigint[])
    as cited (device, time, run, seq)
join parks p on p.code = split_part(cited.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(cited.device, '/', 2)
join observations o on o.device_id = d.device_id and o.event_time = cited.time and o.run = cited.run and o.seq = cited.seq
order by device, o.event_time, o.run, o.seq

-- name: completeness
-- Of each device that carried the shipment: what came, what of it was in error, what never came, what was refused, what arrived late or askew.
select p.code || '/' || d.code as device, c.role, c.valid_from, c.valid_to,
       (select count(*) from observations o where o.device_id = c.device_id and o.event_time >= c.valid_from
          and o.event_time < coalesce(c.valid_to, 'infinity')) as observations,
       (select count(*) from standing_corrections k where k.device_id = c.device_id and k.event_time >= c.valid_from
          and k.event_time < coalesce(c.valid_to, 'infinity')) as corrected,
       (select coalesce(sum(g.last_seq - g.first_seq + 1), 0)::bigint from sequence_gaps g
        where g.device_id = c.device_id and g.filled_at is null) as missing_numbers,
       (select count(*) from rejections r where r.device_id = c.device_id and r.replayed_at is null) as rejections,
       (select coalesce(jsonb_object_agg(kind, n), '{}') from (
            select kind, sum(count) as n from arrival_notes a where a.device_id = c.device_id group by kind) notes) as arrival_notes
from unnest(%(devices)s::bigint[], %(roles)s::text[], %(froms)s::timestamptz[], %(tos)s::timestamptz[])
    as c (device_id, role, valid_from, valid_to)
join devices d using (device_id) join parks p using (park_id)
order by device, c.valid_from

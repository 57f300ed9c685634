-- What changed in what we held true of a shipment, and what was recorded meanwhile that may have changed it.

-- name: versions
select finding_id, rule, rules_version, cause, verdict, state, severity, opened_at, closed_at, terms_revision, recorded_at
from findings where shipment_id = %(shipment_id)s order by finding_version

-- name: late
-- Observations of carriers that were recorded after newer ones, a row for each device and commit.
select 'late_events', recorded_at, min(event_time),
       jsonb_build_object('device', device, 'first', min(event_time), 'last', max(event_time), 'events', count(*))
from (
    select p.code || '/' || d.code as device, o.recorded_at, o.event_time,
           max(o.event_time) over (
               partition by o.device_id order by o.recorded_at
               range between unbounded preceding and current row exclude group
           ) as head
    from unnest(%(devices)s::bigint[], %(froms)s::timestamptz[], %(tos)s::timestamptz[])
        as c (device_id, valid_from, valid_to)
    join devices d using (device_id) join parks p using (park_id)
    join observations o on o.device_id = c.device_id
     and o.event_time >= c.valid_from and o.event_time < coalesce(c.valid_to, 'infinity')
) o
where event_time < head
group by device, recorded_at

-- name: said
-- What people and partners recorded: terms, what areas are, documents, attachments, the end of custody.
select 'terms', recorded_at, valid_from, jsonb_build_object('revision', revision, 'by', recorded_by)
from terms where shipment_id = %(shipment_id)s and revision > 1
union all
select 'park_rules', r.recorded_at, r.valid_from, jsonb_build_object('revision', r.revision, 'by', r.recorded_by)
from park_rules r join shipments s using (park_id) where s.shipment_id = %(shipment_id)s
union all
select 'area', r.recorded_at, r.valid_from,
       jsonb_build_object('area', a.code, 'revision', r.revision, 'by', r.recorded_by)
from area_revisions r join areas a using (area_id) where a.code = any(%(areas)s)
union all
select 'document', d.recorded_at, d.time,
       jsonb_build_object('document', d.kind, 'number', d.number, 'entry', d.entry, 'by', d.by)
from documents d
where d.entry in (
    select entry from document_links
    where shipment_id = %(shipment_id)s
       or thing_id in (select thing_id from shipment_things where shipment_id = %(shipment_id)s)
)
union all
select 'attachment', a.recorded_at, a.valid_from,
       jsonb_build_object('device', p.code || '/' || d.code, 'thing', t.uri, 'until', a.valid_to)
from attachments a
join devices d using (device_id) join parks p using (park_id) join things t using (thing_id)
where a.thing_id in (select thing_id from shipment_things where shipment_id = %(shipment_id)s)
  and a.recorded_at > a.valid_from
union all
select 'closing', closed_at, closed_at, '{}' from shipments
where shipment_id = %(shipment_id)s and closed_at is not null

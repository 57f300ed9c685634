-- What people, partners and customs say: documents, and what they are about.

-- name: add_document
insert into documents (kind, number, time, body, source, by, recorded_at, digest)
values (%(kind)s, %(number)s, %(time)s, %(body)s, %(source)s, %(by)s, %(recorded_at)s, %(digest)s)
on conflict (digest) do nothing
returning entry

-- name: document_of_digest
select entry from documents where digest = %(digest)s

-- name: add_links
insert into document_links (entry, shipment_id, thing_id, device_id, run, seq)
select %(entry)s::bigint, shipment_id, null::bigint, null::bigint, null::int, null::bigint
from unnest(%(shipment_ids)s::bigint[]) as given (shipment_id)
union all
select %(entry)s::bigint, null, thing_id, null, null, null from things where uri = any(%(uris)s)
union all
select %(entry)s::bigint, null, null, %(device_id)s::bigint, %(run)s::int, %(seq)s::bigint
where %(device_id)s::bigint is not null

-- name: shipment_ids
select number, shipment_id from shipments where number = any(%(numbers)s)

-- name: concerning
-- Those that name the shipment, those about its things and what carried them, near the time when that was so, and
-- with a pass everything that is said of it.
with about (owner, entry) as (
    select shipment_id, entry from document_links where shipment_id = any(%(shipment_ids)s)
    union
    select g.owner, l.entry
    from unnest(%(owners)s::bigint[], %(thing_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
        as g (owner, thing_id, begins, ends)
    join document_links l on l.thing_id = g.thing_id
    join documents d on d.entry = l.entry
     and d.time >= g.begins - %(reach)s::interval and d.time <= coalesce(g.ends, 'infinity') + %(reach)s::interval
), concerning (owner, entry) as (
    select owner, entry from about
    union
    select about.owner, other.entry
    from about
    join document_links l using (entry)
    join things t on t.thing_id = l.thing_id and t.kind = 'pass'
    join document_links other on other.thing_id = t.thing_id
)
select c.owner, d.entry, d.kind, d.number, d.time, d.body, d.source, d.by, d.recorded_at,
       array(select t.uri from document_links l join things t using (thing_id) where l.entry = d.entry order by t.uri)
from concerning c join documents d using (entry)
order by c.owner, d.time, d.entry

-- name: about_observations
-- What is said of what a device has said.
select g.owner, d.entry, d.kind, d.number, d.time, d.body, d.source, d.by, d.recorded_at,
       array(select t.uri from document_links l join things t using (thing_id) where l.entry = d.entry order by t.uri)
from unnest(%(owners)s::bigint[], %(device_ids)s::bigint[], %(runs)s::int[], %(seqs)s::bigint[])
    as g (owner, device_id, run, seq)
join document_links l on l.device_id = g.device_id and l.run = g.run and l.seq = g.seq
join documents d on d.entry = l.entry
order by g.owner, d.time, d.entry

-- name: calibrated
-- When each device was last calibrated, as of the end of its carriage.
select c.place, max(d.time)
from unnest(%(device_ids)s::bigint[], %(ends)s::timestamptz[]) with ordinality as c (device_id, ends, place)
join document_links l on l.device_id = c.device_id and l.run is null
join documents d on d.entry = l.entry and d.kind = 'calibration' and d.time <= coalesce(c.ends, 'infinity')
group by c.place

-- name: keys
select distinct l.device_id, d.body ->> 'public_key'
from document_links l join documents d using (entry)
where l.device_id = any(%(device_ids)s) and d.kind = 'device_key'
order by 1, 2

-- name: of_thing
-- Everything that is said of a thing.
select d.entry, d.kind, d.number, d.time, d.body, d.source, d.by, d.recorded_at,
       array(select s.number from document_links o join shipments s using (shipment_id) where o.entry = d.entry order by s.number)
           as shipments
from things t join document_links l using (thing_id) join documents d using (entry)
where t.uri = %(uri)s
order by d.time, d.entry

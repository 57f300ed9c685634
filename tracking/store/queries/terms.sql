-- Terms of custody: append-only revisions, and what they may name.

-- name: lock_shipment
-- Two writers of terms, or a writer and the judge, wait for each other here.
select shipment_id from shipments where number = %(number)s for no key update;

-- name: newest
select revision, valid_from, body, recorded_at, recorded_by
from terms where shipment_id = %(shipment_id)s order by revision desc limit 1;

-- name: revisions
select revision, valid_from, body, recorded_at, recorded_by
from terms where shipment_id = %(shipment_id)s order by revision desc;

-- name: places
-- Every area that is there now, with the zone around it.
select a.code, a.kind, r.properties ->> 'parent'
from areas a
join lateral (
    select geometry, properties from area_revisions where area_id = a.area_id order by revision desc limit 1
) r on r.geometry is not null;

-- name: reporting
-- The primary devices that are on a shipment's goods, or on things, or on whatever these are in, however deep, at a
-- moment, and how often each reports.
with recursive aboard (thing_id) as (
    (
        select thing_id from things where uri = any(%(things)s)
        union
        select st.thing_id from shipments s join shipment_things st using (shipment_id)
        where s.number = %(number)s and st.valid_from <= %(at)s and coalesce(st.valid_to, 'infinity') > %(at)s
    )
    union
    select c.parent_id
    from aboard
    join containments c on c.child_id = aboard.thing_id and c.superseded_at is null
     and c.valid_from <= %(at)s and coalesce(c.valid_to, 'infinity'::timestamptz) > %(at)s
)
select distinct p.code || '/' || d.code, d.expected_every_s
from aboard
join attachments a using (thing_id)
join devices d using (device_id)
join parks p using (park_id)
where a.superseded_at is null and a.role = 'primary' and d.revoked_at is null
  and a.valid_from <= %(at)s and coalesce(a.valid_to, 'infinity') > %(at)s;

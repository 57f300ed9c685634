-- Reference data: parks, areas, devices, things, attachments, shipments, keys. Append-only revisions with intervals.

-- name: put_park
insert into parks (code, name_en, name_zh, time_zone)
values (%(code)s, %(name_en)s, %(name_zh)s, %(time_zone)s)
on conflict (code) do update
set name_en = excluded.name_en, name_zh = excluded.name_zh, time_zone = excluded.time_zone;

-- name: parks
select code, name_en, name_zh, time_zone from parks order by code;

-- name: park_id
select park_id from parks where code = %(code)s;

-- name: lock_reference
-- Editors take the reference lock alone: no batch commits against places that it did not see.
select pg_advisory_xact_lock(%(lock)s);

-- name: bump_reference
update reference_state set revision = revision + 1 returning revision;

-- name: reference_revision
select revision from reference_state;

-- name: add_area
insert into areas (park_id, code, kind) values (%(park_id)s, %(code)s, %(kind)s)
on conflict (code) do nothing;

-- name: area
select a.area_id, a.kind, p.code as park
from areas a join parks p using (park_id) where a.code = %(code)s;

-- name: newest_area_revision
select revision, valid_from, valid_to, geometry, tolerance_m, properties
from area_revisions where area_id = %(area_id)s order by revision desc limit 1;

-- name: close_area_revision
update area_revisions set valid_to = %(at)s
where area_id = %(area_id)s and revision = %(revision)s and valid_from < %(at)s;

-- name: add_area_revision
insert into area_revisions
    (area_id, revision, valid_from, geometry, tolerance_m, properties, recorded_at, recorded_by)
values
    (%(area_id)s, %(revision)s, %(valid_from)s, %(geometry)s, %(tolerance_m)s, %(properties)s, %(recorded_at)s,
     %(recorded_by)s);

-- name: all_areas
-- Every revision of every area: what the spatial index is built from.
select a.code, a.kind, p.code as park, r.revision, r.valid_from, r.valid_to, r.geometry, r.tolerance_m, r.properties
from areas a join parks p using (park_id) join area_revisions r using (area_id)
where r.geometry is not null and (r.valid_to is null or r.valid_to > r.valid_from)
order by a.code, r.revision;

-- name: add_device
insert into devices (park_id, code, kind, name, datum, expected_every_s, registered_at)
values (%(park_id)s, %(code)s, %(kind)s, %(name)s, %(datum)s, %(expected_every_s)s, %(registered_at)s)
on conflict (park_id, code) do nothing
returning device_id;

-- name: device
select d.device_id, p.code as park, d.code, d.kind, d.name, d.dialect, d.datum, d.expected_every_s, d.registered_at,
       d.revoked_at, t.head_time as last_seen
from devices d join parks p using (park_id) left join device_tracks t using (device_id)
where p.code = %(park)s and d.code = %(code)s;

-- name: revoke_device
update devices set revoked_at = %(at)s where device_id = %(device_id)s and revoked_at is null returning device_id;

-- name: revoke_credentials
update device_credentials set revoked_at = %(at)s where device_id = %(device_id)s and revoked_at is null;

-- name: add_credential
insert into device_credentials (device_id, scheme, hash, created_at)
values (%(device_id)s, %(scheme)s, %(hash)s, %(created_at)s);

-- name: add_thing
insert into things (uri, kind, label) values (%(uri)s, %(kind)s, %(label)s)
on conflict (uri) do nothing;

-- name: thing_id
select thing_id from things where uri = %(uri)s;

-- name: hold_device
-- Whoever says something of the same device waits; what only refers to it doesn't.
select device_id from devices where device_id = %(device_id)s for no key update;

-- name: attachment
-- One that says as much: who says nothing of an end doesn't take back one that was said.
select attachment_id from attachments
where device_id = %(device_id)s and thing_id = %(thing_id)s and role = %(role)s and valid_from = %(valid_from)s
  and (%(valid_to)s::timestamptz is null or valid_to = %(valid_to)s) and superseded_at is null;

-- name: supersede_attachment
-- What was said of the same beginning before.
update attachments set superseded_at = %(recorded_at)s
where device_id = %(device_id)s and thing_id = %(thing_id)s and role = %(role)s and valid_from = %(valid_from)s
  and superseded_at is null;

-- name: add_attachment
insert into attachments (device_id, thing_id, role, valid_from, valid_to, recorded_at)
values (%(device_id)s, %(thing_id)s, %(role)s, %(valid_from)s, %(valid_to)s, %(recorded_at)s)
returning attachment_id;

-- name: add_shipment
insert into shipments (park_id, number, reference, created_at)
values (%(park_id)s, %(number)s, %(reference)s, %(created_at)s)
on conflict (number) do nothing
returning shipment_id;

-- name: add_shipment_thing
insert into shipment_things (shipment_id, thing_id, valid_from, recorded_at)
values (%(shipment_id)s, %(thing_id)s, %(valid_from)s, %(recorded_at)s);

-- name: add_terms
insert into terms (shipment_id, revision, valid_from, body, recorded_at, recorded_by)
values (%(shipment_id)s, %(revision)s, %(valid_from)s, %(body)s, %(recorded_at)s, %(recorded_by)s);

-- name: close_shipment
update shipments set state = 'closed', closed_at = %(at)s where number = %(number)s and closed_at is null
returning shipment_id;

-- name: closing_of_shipment
select closed_at from shipments where number = %(number)s;

-- name: shipment_as_created
select p.code as park, s.reference, t.body,
       (select array_agg(th.uri order by th.uri) from shipment_things st join things th using (thing_id)
        where st.shipment_id = s.shipment_id) as things
from shipments s join parks p using (park_id) join terms t using (shipment_id)
where s.number = %(number)s
order by t.revision limit 1;

-- name: add_work
insert into work (kind, key, changed_from) values (%(kind)s, %(key)s, %(changed_from)s);

-- name: key_name
select name from api_keys where hash = %(hash)s and revoked_at is null;

-- name: add_key
insert into api_keys (name, hash, created_at) values (%(name)s, %(hash)s, %(created_at)s)
on conflict (hash) do nothing;

-- name: arrivals
-- What was odd about how a device's events arrived, one row a kind: never part of custody.
select kind, sum(count)::bigint as count, count(*) as notes, min(first_at) as first_at, max(last_at) as last_at,
       bool_or(kind = 'unreachable' and not detail ? 'ended') as lasts
from arrival_notes where device_id = %(device_id)s group by kind order by kind;

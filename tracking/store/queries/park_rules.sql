-- How parks change rules: append-only revisions.

-- name: lock_park
-- A shipment that is being put under watch keeps a share of its park: this waits for it, and it for this.
select park_id from parks where code = %(park)s for update

-- name: newest
select r.revision, r.valid_from, r.body, r.recorded_at, r.recorded_by
from park_rules r join parks p using (park_id)
where p.code = %(park)s order by r.revision desc limit 1

-- name: add
insert into park_rules (park_id, revision, valid_from, body, recorded_at, recorded_by)
values (%(park_id)s, %(revision)s, %(valid_from)s, %(body)s, %(recorded_at)s, %(recorded_by)s)

-- name: leave_work
-- Whoever is under watch, or was at that time.
insert into work (kind, key, changed_from)
select 'shipment', shipment_id, %(valid_from)s from shipments
where park_id = %(park_id)s and coalesce(closed_at, 'infinity') > %(valid_from)s
order by shipment_id

-- name: of_parks
select p.code, r.revision, r.valid_from, r.body
from park_rules r join parks p using (park_id)
where p.code = any(%(parks)s) order by p.code, r.revision

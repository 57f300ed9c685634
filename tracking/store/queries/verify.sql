-- What verification reads: everything as it stands in one snapshot, and nothing is written.

-- name: snapshot
select pg_export_snapshot()

-- name: log
select index, leaf_hash from log order by index

-- name: heads
select size, root, made_at, key_id, signature, frontier from checkpoints order by size

-- name: all_nodes
select level, position, hash from log_nodes

-- name: events
-- Hashed where they stand, so that only hashes are sorted and sent.
select o.batch_id, o.leaf, sha256('\x00'::bytea || o.body), o.recorded_at from observations o order by o.batch_id, o.leaf

-- name: batches
-- Each with the subtrees that were dropped of it.
select b.batch_id, b.recorded_at, b.events, b.root, d.begins, d.ends, d.hashes
from batches b
left join lateral (
    select array_agg(begins order by begins) as begins, array_agg(ends order by begins) as ends,
           array_agg(hash order by begins) as hashes
    from dropped where dropped.batch_id = b.batch_id
) d on true
order by b.batch_id

-- name: dropped
-- By the entries in the log, and by what is kept of the batches.
select (select coalesce(sum(events), 0) from retentions)::bigint,
       (select coalesce(sum(ends - begins), 0) from dropped)::bigint

-- name: dropped_devices
select device_id from dropped_devices

-- name: dropped_shipments
select shipment_id from archives where dropped_at is not null

-- name: observations
select event_time, run, seq, kind, lon, lat, accuracy_m, speed_mps, heading_deg, thing, body
from observations where device_id = %(device_id)s order by event_time, run, seq

-- name: readings
select event_time, run, seq, quantity, value
from readings where device_id = %(device_id)s order by event_time, run, seq, quantity collate "C"

-- name: scanned
-- What this scanner said of things in things.
select e.event_time, e.run, e.seq, c.uri, p.uri, e.action, e.quantity, e.reported_by
from containment_events e join things c on c.thing_id = e.child_id left join things p on p.thing_id = e.parent_id
where e.device_id = %(device_id)s order by e.event_time, e.run, e.seq, e.event_id

-- name: mentioned
-- What this device named, by whom it was named and how.
select m.event_time, m.run, m.seq, t.uri, m.kind, m.is_parent
from mentions m left join things t using (thing_id)
where m.device_id = %(device_id)s order by m.event_time, m.run, m.seq, t.uri collate "C"

-- name: contained
-- Every thing of which something is said, or held.
select thing_id from things t
where exists (select from containment_events e where e.child_id = t.thing_id)
   or exists (select from containments s where s.child_id = t.thing_id and s.superseded_at is null)
   or exists (select from containment_conflicts k where k.child_id = t.thing_id and k.superseded_at is null)
order by thing_id

-- name: uris
select thing_id, uri from things where thing_id = any(%(ids)s) order by thing_id

-- name: milestones
select milestone_id, time, kind, area, detail, at_time, at_run, at_seq, fold_version
from milestones where device_id = %(device_id)s and superseded_at is null order by milestone_id

-- name: snapshots
select time, run, seq, state from track_snapshots where device_id = %(device_id)s order by time, run, seq

-- name: state
select state from device_tracks where device_id = %(device_id)s

-- name: devices
select device_id from devices order by device_id

-- name: waiting_devices
select distinct key from work where kind = 'refold'

-- name: shipments
select s.shipment_id, s.number, p.code, s.closed_at, c.judged_through, c.state, c.rules_version
from shipments s join parks p using (park_id) left join custody_states c using (shipment_id)
where s.shipment_id = any(%(ids)s) order by s.shipment_id

-- name: shipment_ids
select shipment_id from shipments order by shipment_id

-- name: device_work
select key, min(changed_from) from work where kind = 'device' group by key

-- name: thing_work
-- Things to be folded, those whose contents are to be judged, and those of whom only their owners hear.
select key, kind, min(changed_from) from work where kind in ('thing', 'contents', 'goods') group by key, kind

-- name: document_work
select distinct key from work where kind = 'document'

-- name: waiting_shipments
select distinct key from work
where kind = 'shipment' or kind = 'shipment_due' and due_at <= coalesce(%(watermark)s::timestamptz, '-infinity')

-- name: evidence
-- What every version of every finding rests on.
select s.number, f.rule, f.finding_id, f.evidence
from findings f join shipments s using (shipment_id)
where f.shipment_id = any(%(ids)s) order by f.finding_version

-- name: wrong_area_ends
-- A revision ends where the next one begins.
select code || ' revision ' || revision
from (
    select a.code, r.revision, r.valid_to, lead(r.valid_from) over (partition by r.area_id order by r.revision) as ends
    from area_revisions r join areas a using (area_id)
) r
where valid_to is distinct from ends

-- name: wrong_finding_ends
-- A version ends when the next one is recorded.
select finding_version::text
from (
    select finding_version, superseded_at,
           lead(recorded_at) over (partition by finding_id order by finding_version) as ends
    from findings
) f
where superseded_at is distinct from ends

-- name: wrong_ledger_numbers
select finding_version::text
from (
    select finding_version, number, row_number() over (partition by shipment_id order by finding_version) as right_number
    from ledger
) l
where number <> right_number

-- name: wrong_alerts
-- An alert stands as the last of its actions that moves it says, and counts its findings that hold; without any it is
-- resolved.
select a.alert_id::text
from alerts a
cross join lateral (
    select count(*) as findings
    from alert_findings f join findings v on v.finding_id = f.finding_id and v.superseded_at is null
    where f.alert_id = a.alert_id and v.state <> 'withdrawn' and v.verdict = 'finding' and v.severity <> 'info'
) holding
left join lateral (
    select x.action from alert_actions x
    where x.alert_id = a.alert_id and x.action <> 'comment' order by x.action_id desc limit 1
) moved on true
where a.state <> case moved.action
        when 'acknowledge' then 'acknowledged' when 'resolve' then 'resolved' when 'withdraw' then 'resolved' else 'open' end
   or holding.findings > 0 and a.occurrences <> holding.findings
   or holding.findings = 0 and a.state <> 'resolved'

-- name: unalerted_findings
-- A finding that a person must handle stands in an alert, unless somebody had let it pass before it was found.
select f.finding_id
from findings f
where f.superseded_at is null and f.state <> 'withdrawn' and f.verdict = 'finding' and f.severity <> 'info'
  and not exists (select from alert_findings a where a.finding_id = f.finding_id)
  and not exists (
      select from decisions d
      where d.shipment_id = f.shipment_id
        and (d.finding_id = f.finding_id or d.rule = f.rule and d.cause = f.cause and f.opened_at < d.until)
  )

-- What each kind of leaf says. The column "key" names the row; the rest, with the kind, is hashed as canonical JSON.
-- A kind keeps its columns for ever: a changed one would change the hash of every leaf that is in the log already.
-- What may change later in a row (the end of an interval, a revocation) is a leaf of its own, or follows from others.

-- name: key
select log_key_id as key, key_id, public_key, valid_from from log_keys

-- name: area
select r.entry as key, a.code, a.kind as area_kind, p.code as park, r.revision, r.valid_from, r.geometry, r.tolerance_m,
       r.properties, r.recorded_at, r.recorded_by
from area_revisions r join areas a using (area_id) join parks p using (park_id)

-- name: device
select d.device_id as key, p.code as park, d.code, d.kind as device_kind, d.name, d.dialect, d.datum, d.expected_every_s,
       d.registered_at
from devices d join parks p using (park_id)

-- name: revocation
select device_id as key, revoked_at from devices where revoked_at is not null

-- name: attachment
select a.attachment_id as key, a.device_id as device, t.uri as thing, a.role, a.valid_from, a.valid_to, a.recorded_at
from attachments a join things t using (thing_id)

-- name: detachment
select attachment_id as key, superseded_at from attachments where superseded_at is not null

-- name: shipment
select s.shipment_id as key, p.code as park, s.number, s.reference, s.created_at
from shipments s join parks p using (park_id)

-- name: goods
select g.entry as key, g.shipment_id as shipment, t.uri as thing, g.valid_from, g.valid_to, g.recorded_at
from shipment_things g join things t using (thing_id)

-- name: terms
select entry as key, shipment_id as shipment, revision, valid_from, body, recorded_at, recorded_by from terms

-- name: park_rules
select r.entry as key, p.code as park, r.revision, r.valid_from, r.body, r.recorded_at, r.recorded_by
from park_rules r join parks p using (park_id)

-- name: aggregation
-- What was scanned or reported of one thing in another. A scan's stands under its batch's root, too.
select e.event_id as key, c.uri as child, p.uri as parent, e.action, e.quantity, e.event_time, e.device_id as device,
       e.run, e.seq, e.reported_by, e.recorded_at
from containment_events e join things c on c.thing_id = e.child_id left join things p on p.thing_id = e.parent_id

-- name: containment
-- A version of a stay. When it was superseded says no leaf: what holds now follows from the events.
select s.containment_id as key, c.uri as child, p.uri as parent, s.valid_from, s.valid_to, s.quantity, s.began, s.ended,
       s.recorded_at
from containments s join things c on c.thing_id = s.child_id join things p on p.thing_id = s.parent_id

-- name: document
-- With all that it is about.
select d.entry as key, d.kind as document_kind, d.number, d.time, d.body, d.source, d.by, d.recorded_at, d.digest,
       array(select s.number from document_links l join shipments s using (shipment_id) where l.entry = d.entry
             order by s.number collate "C") as shipments,
       array(select t.uri from document_links l join things t using (thing_id) where l.entry = d.entry
             order by t.uri collate "C") as things,
       array(select json_build_array(device_id, run, seq) from document_links l
             where l.entry = d.entry and l.device_id is not null order by device_id, run, seq) as devices
from documents d

-- name: closing
select shipment_id as key, closed_at from shipments where closed_at is not null

-- name: batch
select batch_id as key, source, worker, recorded_at, events, root from batches

-- name: custody
-- A numbered entry of a shipment's ledger.
select f.finding_version as key, l.shipment_id as shipment, l.number, f.finding_id as finding,
       f.shipment_id as of_shipment, f.rule, f.rules_version, f.cause, f.verdict, f.state, f.severity, f.opened_at,
       f.closed_at, f.place, f.evidence, f.parameters, f.terms_revision, f.recorded_at
from findings f join ledger l using (finding_version)

-- name: decision
-- What a person decided about a finding.
select entry as key, shipment_id as shipment, finding_id as finding, kind as decision, rule, cause, until, reason, by,
       recorded_at
from decisions

-- name: action
select action_id as key, alert_id as alert, action, by, comment, at from alert_actions

-- name: gate_decision
-- What a barrier was told, and why.
select g.decision_id as key, g.device_id as device, g.gate, g.event_time, g.run, g.seq, g.decided_at, g.decision,
       g.reasons, g.pass_number, g.uses_pass, g.shipments, g.decided_by, g.entry, g.fallback, g.within_s,
       g.command_id::text as command, g.unsent
from gate_decisions g

-- name: correction
-- Somebody has declared an observation to be in error.
select c.entry as key, p.code || '/' || d.code as device, c.event_time as time, c.run, c.seq, c.reason, c.why, c.corrective,
       c.by, c.recorded_at
from corrections c join devices d using (device_id) join parks p using (park_id)

-- name: retraction
-- Somebody has taken a correction back.
select entry as key, correction, why, by, recorded_at from retractions

-- name: retention
-- Events of a week that were dropped because of their age.
select entry as key, week, events, devices, kept, by, recorded_at from retentions

-- name: archive
-- A shipment's archive, by the digest of its manifest. That its evidence was dropped here later follows from the weeks.
select a.shipment_id as key, a.digest, a.events, a.by, a.recorded_at from archives a

-- Gates: who stands before a barrier and waits to be decided, what was decided, and what a gate may have to know.

-- name: undecided
-- The newest first: who stands there goes before who has gone. 5 is a gate's report (observation_kinds).
select m.device_id, p.code, p.code || '/' || d.code, d.kind, d.dialect, d.datum, m.event_time, m.run, m.seq, o.body
from (
    select distinct m.device_id, m.event_time, m.run, m.seq
    from unnest(%(device_ids)s::bigint[], %(froms)s::timestamptz[]) as g (device_id, since)
    join counted_mentions m on m.device_id = g.device_id and m.kind = 5 and m.event_time >= g.since
    where not exists (
        select from gate_decisions d
        where d.device_id = m.device_id and d.run = m.run and d.seq = m.seq and d.entry is null
    )
    order by m.event_time desc, m.device_id, m.run, m.seq
    limit %(limit)s
) m
join observations o
  on o.device_id = m.device_id and o.event_time = m.event_time and o.run = m.run and o.seq = m.seq
join devices d on d.device_id = m.device_id
join parks p using (park_id)
order by m.event_time desc, m.device_id, m.run, m.seq

-- name: decided_report
-- The report that a decision is about, if it is one of that gate. Whoever speaks of it at the same time waits.
select m.device_id, p.code, p.code || '/' || d.code, d.kind, d.dialect, d.datum, m.event_time, m.run, m.seq, o.body
from gate_decisions m
join observations o
  on o.device_id = m.device_id and o.event_time = m.event_time and o.run = m.run and o.seq = m.seq
join devices d on d.device_id = m.device_id
join parks p using (park_id)
where m.decision_id = %(decision_id)s and m.gate = %(gate)s
for no key update of m

-- name: aboard
-- Shipments of whose things some are these or were in these at a moment, with those things.
with recursive inside (thing_id) as (
    select thing_id from things where uri = any(%(uris)s)
    union
    select c.child_id
    from inside
    join containments c on c.parent_id = inside.thing_id and c.superseded_at is null
     and c.valid_from <= %(at)s and coalesce(c.valid_to, 'infinity') > %(at)s
)
select s.shipment_id, s.number, p.code, s.closed_at, t.uri
from inside
join shipment_things st using (thing_id)
join shipments s using (shipment_id)
join parks p using (park_id)
join things t using (thing_id)
where st.valid_from <= %(at)s and coalesce(st.valid_to, 'infinity') > %(at)s
  and coalesce(s.closed_at, 'infinity') > %(at)s
union
-- those that the papers of the pass name that was shown
select s.shipment_id, s.number, p.code, s.closed_at, null
from things t
join document_links l using (thing_id)
join document_links other using (entry)
join shipments s on s.shipment_id = other.shipment_id
join parks p using (park_id)
where t.uri = %(pass_uri)s and coalesce(s.closed_at, 'infinity') > %(at)s
order by 1, 5

-- name: things_of
select thing_id, uri, kind, label from things where uri = any(%(uris)s) order by uri

-- name: add_decision
insert into gate_decisions (
    device_id, gate, event_time, run, seq, decided_at, decision, reasons, pass_number, uses_pass, shipments,
    decided_by, entry, fallback, within_s, command_id, unsent
) values (
    %(device_id)s, %(gate)s, %(event_time)s, %(run)s, %(seq)s, %(decided_at)s, %(decision)s, %(reasons)s,
    %(pass_number)s, %(uses_pass)s, %(shipments)s, %(decided_by)s, %(entry)s, %(fallback)s, %(within_s)s,
    %(command_id)s, %(unsent)s
)
on conflict do nothing
returning decision_id

-- name: decisions
-- With what the gate did about that report, in the order of its own words.
select d.decision_id, d.gate, p.code || '/' || v.code as device, d.event_time as time, d.run, d.seq, d.decided_at,
       d.decision, d.reasons, d.pass_number as pass, d.uses_pass, d.shipments, d.decided_by, d.entry, d.fallback,
       d.within_s, d.command_id as command, d.unsent,
       coalesce((
           select json_agg(json_build_object(
               'time', a.event_time, 'did', a.did, 'by_fallback', a.by_fallback, 'command', a.command_id
           ) order by a.event_time, a.told_run, a.told_seq)
           from gate_actions a
           where a.device_id = d.device_id and a.run = d.run and a.seq = d.seq
       ), '[]') as actions
from gate_decisions d join devices v using (device_id) join parks p using (park_id)
where (%(gate)s::text is null or d.gate = %(gate)s)
  and (%(shipment)s::text is null or d.shipments @> array[%(shipment)s::text])
  and (%(decision_id)s::bigint is null or d.decision_id = %(decision_id)s)
  and (%(entry)s::bigint is null or d.entry = %(entry)s)
  and (%(after)s::bigint is null or d.decision_id < %(after)s)
order by d.decision_id desc
limit %(limit)s

-- name: is_gate
select exists (select from areas where code = %(gate)s and kind = 'gate')
    or exists (select from gate_decisions where gate = %(gate)s)

-- name: pass_news
-- Changes when anything does that a gate's list of passes is made of.
select (select max(entry) from documents where kind in ('pass', 'pass_state')),
       (select max(decision_id) from gate_decisions where uses_pass),
       (select max(entry) from corrections),
       (select max(entry) from retractions),
       (select revision from reference_state)

-- name: gates_with_devices
-- Gates as they are now; a gate's device is the one in its park that has its code.
select distinct on (a.code) a.code, d.device_id, p.code || '/' || d.code, r.properties ->> 'parent', r.properties
from areas a
join area_revisions r using (area_id)
join devices d on d.park_id = a.park_id and d.code = a.code
join parks p on p.park_id = a.park_id
where a.kind = 'gate' and d.revoked_at is null and r.geometry is not null and r.properties ->> 'parent' is not null
  and r.valid_from <= %(now)s and coalesce(r.valid_to, 'infinity') > %(now)s
order by a.code, r.revision desc

-- name: last_commands
-- The newest of a kind that each device was sent.
select device_id, c.created_at, c.args
from unnest(%(device_ids)s::bigint[]) as g (device_id)
cross join lateral (
    select created_at, args from commands c
    where c.device_id = g.device_id and c.command = %(command)s
    order by created_at desc limit 1
) c

-- name: pass_papers
-- All papers of the passes of which anything was said since.
select p.entry, p.kind, p.number, p.time, p.body, p.source, p.by
from documents p
where p.kind in ('pass', 'pass_state') and p.number in (
    select number from documents where kind in ('pass', 'pass_state') and time >= %(since)s
)

-- name: used_passes
-- By passages that count.
select distinct d.pass_number from gate_decisions d
where d.uses_pass and d.pass_number = any(%(numbers)s) and not exists (
    select from standing_corrections c
    where c.device_id = d.device_id and c.event_time = d.event_time and c.run = d.run and c.seq = d.seq
)

-- name: uses_of
-- The passages that a pass was used for, each by the newest decision on it.
select gate, time, decision, decided_by from (
    select distinct on (d.device_id, d.run, d.seq) d.gate, d.event_time as time, d.decision, d.decided_by, d.uses_pass
    from gate_decisions d where d.pass_number = %(number)s and not exists (
        select from standing_corrections c
        where c.device_id = d.device_id and c.event_time = d.event_time and c.run = d.run and c.seq = d.seq)
    order by d.device_id, d.run, d.seq, d.decision_id desc) newest
where uses_pass order by time, gate

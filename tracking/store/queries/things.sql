-- Things in things: what was scanned or reported, what follows from it, and what carried whom.

-- name: add_things
-- Things not met before. In one order, so that no two batches can each wait for the other.
insert into things (uri, kind, label)
select distinct on (uri) uri, kind, label
from unnest(%b::text[], %b::text[], %b::text[]) as given (uri, kind, label)
where not exists (select from things known where known.uri = given.uri)
order by uri
on conflict (uri) do nothing

-- name: add_events
-- What is said again is dropped; each thing of whom something new is said is to be folded.
with added as (
    insert into containment_events
        (child_id, parent_id, action, quantity, event_time, device_id, run, seq, reported_by, recorded_at)
    select c.thing_id, p.thing_id, g.action, g.quantity, g.event_time, nullif(g.device_id, 0), g.run, g.seq, g.by, %s
    from unnest(
        %b::text[], %b::text[], %b::text[], %b::float8[], %b::timestamptz[], %b::bigint[], %b::int[], %b::bigint[],
        %b::text[]
    ) as g (child, parent, action, quantity, event_time, device_id, run, seq, by)
    join things c on c.uri = g.child
    left join things p on p.uri = g.parent
    on conflict do nothing
    returning child_id, event_time
)
insert into work (kind, key, changed_from)
select 'thing', child_id, min(event_time) from added group by child_id order by child_id

-- name: lock_things
-- In order; whoever folds one of these meanwhile commits first.
select thing_id, uri from things where thing_id = any(%(ids)s) order by thing_id for no key update

-- name: events_of
select e.child_id, e.event_time, e.action, pt.uri, e.quantity, coalesce(p.code || '/' || d.code, ''), e.run, e.seq,
       e.reported_by
from counted_containment_events e
left join things pt on pt.thing_id = e.parent_id
left join devices d on d.device_id = e.device_id
left join parks p on p.park_id = d.park_id
where e.child_id = any(%(ids)s)

-- name: stays_of
select s.containment_id, c.uri, p.uri, s.valid_from, s.valid_to, s.quantity, s.began, s.ended
from containments s join things c on c.thing_id = s.child_id join things p on p.thing_id = s.parent_id
where s.child_id = any(%(ids)s) and s.superseded_at is null

-- name: conflicts_of
select k.conflict_id, k.kind, c.uri, k.parents, k.valid_from, k.valid_to, k.evidence
from containment_conflicts k join things c on c.thing_id = k.child_id
where k.child_id = any(%(ids)s) and k.superseded_at is null
order by k.valid_from, c.uri, k.kind

-- name: supersede_stays
update containments set superseded_at = %(at)s where containment_id = any(%(ids)s)

-- name: supersede_conflicts
update containment_conflicts set superseded_at = %(at)s where conflict_id = any(%(ids)s)

-- name: add_stays
insert into containments (child_id, parent_id, valid_from, valid_to, quantity, began, ended, recorded_at)
select c.thing_id, p.thing_id, g.valid_from, g.valid_to, g.quantity, g.began, g.ended, %s
from unnest(
    %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::float8[], %b::text[]::jsonb[], %b::text[]::jsonb[]
) as g (child, parent, valid_from, valid_to, quantity, began, ended)
join things c on c.uri = g.child
join things p on p.uri = g.parent

-- name: add_conflict
insert into containment_conflicts (child_id, kind, parents, valid_from, valid_to, evidence, recorded_at)
select thing_id, %(kind)s, %(parents)s, %(valid_from)s, %(valid_to)s, %(evidence)s, %(recorded_at)s
from things where uri = %(child)s

-- name: leave_contents
insert into work (kind, key, changed_from)
select 'contents', given.* from unnest(%b::bigint[], %b::timestamptz[]) as given

-- name: goods_of
-- What a shipment consists of, while it is under custody.
select st.shipment_id, t.thing_id, t.uri, st.valid_from, least(st.valid_to, s.closed_at)
from shipment_things st join shipments s using (shipment_id) join things t using (thing_id)
where st.shipment_id = any(%(ids)s)
  and st.valid_from < coalesce(least(st.valid_to, s.closed_at), 'infinity')
order by st.shipment_id, t.uri, st.valid_from

-- name: links_above
-- In what these things ever were, and in what that was, however deep.
with recursive above (thing_id) as (
    select unnest(%(ids)s::bigint[])
    union
    select c.parent_id from above join containments c on c.child_id = above.thing_id and c.superseded_at is null
)
select s.valid_from, c.uri, p.uri, s.valid_to
from above
join containments s on s.child_id = above.thing_id and s.superseded_at is null
join things c on c.thing_id = s.child_id
join things p on p.thing_id = s.parent_id

-- name: conflicts_named
select k.conflict_id, k.kind, c.uri, k.parents, k.valid_from, k.valid_to, k.evidence
from things c join containment_conflicts k on k.child_id = c.thing_id and k.superseded_at is null
where c.uri = any(%(uris)s)

-- name: began
-- The event that the stay of a thing in another at a moment rests on.
select s.began
from containments s join things c on c.thing_id = s.child_id join things p on p.thing_id = s.parent_id
where c.uri = %(child)s and p.uri = %(parent)s and s.superseded_at is null and s.valid_from <= %(at)s
order by s.valid_from desc limit 1

-- name: things_named
select thing_id, uri, kind, label from things where uri = any(%(uris)s)

-- name: devices_on
-- The devices that were ever on these things, with what they have said so far.
select t.uri, t.label, a.device_id, p.code || '/' || d.code, d.kind, a.role, d.expected_every_s, a.valid_from, a.valid_to,
       dt.state
from things t
join attachments a on a.thing_id = t.thing_id and a.superseded_at is null
join devices d on d.device_id = a.device_id
join parks p on p.park_id = d.park_id
left join device_tracks dt on dt.device_id = a.device_id
where t.uri = any(%(uris)s)
order by a.device_id, a.valid_from, t.uri

-- What the API and the console read.

-- name: list_shipments
-- Newest first, a page at a time; `after` is the last row of the page before.
select s.shipment_id, s.number, p.code as park, s.reference, s.state, s.created_at
from shipments s join parks p using (park_id)
where (%(after_at)s::timestamptz is null or (s.created_at, s.shipment_id) < (%(after_at)s, %(after_id)s))
order by s.created_at desc, s.shipment_id desc
limit %(limit)s;

-- name: search_shipments
-- By the beginning of the number, the reference, or the label or URI of one of its things. Each branch has its
-- own index; a prefix is what people have in hand. One so short that it fits over 1,000 finds some of them, not the newest.
-- What is inside is looked for eight deep, which ends it also where two things were in each other, each at its time. (With
-- a `union` that ends by itself the database makes room for ten million things before it looks at one.)
with hits as (
    (select shipment_id from shipments where upper(number) like %(prefix)s limit 1000)
    union
    (select shipment_id from shipments where reference <> '' and upper(reference) like %(prefix)s limit 1000)
    union
    (select st.shipment_id from things t join shipment_things st using (thing_id)
     where upper(t.label) like %(prefix)s or t.uri = %(exact)s limit 1000)
    union
    (with recursive inside (thing_id, depth) as (
        (select thing_id, 0 from things where upper(label) like %(prefix)s or uri = %(exact)s limit 1000)
        union all
        select c.child_id, i.depth + 1
        from inside i, lateral (
            select distinct child_id from containments where parent_id = i.thing_id and superseded_at is null
        ) c
        where i.depth < 8
     )
     select st.shipment_id from inside join shipment_things st using (thing_id) limit 1000)
)
select s.shipment_id, s.number, p.code as park, s.reference, s.state, s.created_at
from hits join shipments s using (shipment_id) join parks p using (park_id)
where (%(after_at)s::timestamptz is null or (s.created_at, s.shipment_id) < (%(after_at)s, %(after_id)s))
order by s.created_at desc, s.shipment_id desc
limit %(limit)s;

-- name: shipment
select s.shipment_id, s.number, p.code as park, s.reference, s.state, s.created_at
from shipments s join parks p using (park_id)
where s.number = %(number)s;

-- name: overview
-- What a list shows beside the numbers: things, what they are in now, open findings by mark, last heard, by whatever
-- carried them and while it did.
select s.shipment_id,
       (select coalesce(array_agg(distinct t.label order by t.label), '{}')
        from shipment_things st join things t using (thing_id) where st.shipment_id = s.shipment_id) as things,
       (select coalesce(jsonb_object_agg(mark, n), '{}') from (
            select case f.verdict when 'undetermined' then 'undetermined' else f.severity end as mark, count(*) as n
            from findings f
            where f.shipment_id = s.shipment_id and f.superseded_at is null and f.state = 'open'
            group by 1) marks) as open_findings,
       (select count(*) from findings f
        where f.shipment_id = s.shipment_id and f.superseded_at is null and f.state = 'closed') as past_findings,
       (select c.judged_through from custody_states c where c.shipment_id = s.shipment_id) as judged_through,
       (select coalesce(array_agg(distinct t.label order by t.label), '{}')
        from shipment_things st
        join containments c on c.child_id = st.thing_id and c.superseded_at is null
        join things t on t.thing_id = c.parent_id
        where st.shipment_id = s.shipment_id and coalesce(c.valid_to, 'infinity') = 'infinity') as inside,
       (with recursive carried (thing_id, valid_from, valid_to) as (
            select st.thing_id, st.valid_from, coalesce(st.valid_to, 'infinity')
            from shipment_things st where st.shipment_id = s.shipment_id
            union
            select c.parent_id, greatest(i.valid_from, c.valid_from), least(i.valid_to, c.valid_to)
            from carried i
            join containments c on c.child_id = i.thing_id and c.superseded_at is null
            where c.valid_from < i.valid_to and coalesce(c.valid_to, 'infinity') > i.valid_from
        )
        select max(least(dt.head_time, i.valid_to, a.valid_to))
        from carried i join attachments a using (thing_id) join device_tracks dt using (device_id)
        where a.superseded_at is null and a.role = 'primary'
          and i.valid_to > a.valid_from and coalesce(a.valid_to, 'infinity') > i.valid_from
          and dt.head_time >= greatest(i.valid_from, a.valid_from)) as last_seen
from unnest(%(ids)s::bigint[]) as s (shipment_id);

-- name: thing
select thing_id, uri, kind, label from things where uri = %(uri)s;

-- name: thing_overview
select (select count(*) from containments c
        where c.parent_id = t.thing_id and c.superseded_at is null
          and coalesce(c.valid_to, 'infinity'::timestamptz) = 'infinity') as contents,
       (select coalesce(array_agg(p.code || '/' || d.code order by p.code, d.code), '{}')
        from attachments a join devices d using (device_id) join parks p using (park_id)
        where a.thing_id = t.thing_id and a.superseded_at is null and a.valid_to is null) as devices,
       (select coalesce(array_agg(distinct s.number order by s.number), '{}')
        from shipment_things st join shipments s using (shipment_id) where st.thing_id = t.thing_id) as shipments
from things t where t.thing_id = %(thing_id)s;

-- name: parents
-- What began and ended a stay says whether that was observed or reported.
select c.containment_id, t.uri as parent, t.label, c.valid_from, c.valid_to, c.quantity, c.began, c.ended
from containments c join things t on t.thing_id = c.parent_id
where c.child_id = %(thing_id)s and c.superseded_at is null
  and (%(at)s::timestamptz is null
       or (c.valid_from <= %(at)s and coalesce(c.valid_to, 'infinity'::timestamptz) > %(at)s))
order by c.valid_from, c.containment_id;

-- name: contents
select c.containment_id, t.uri as child, t.label, c.valid_from, c.valid_to, c.quantity, c.began, c.ended
from containments c join things t on t.thing_id = c.child_id
where c.parent_id = %(thing_id)s and c.superseded_at is null
  and (%(at)s::timestamptz is null
       or (c.valid_from <= %(at)s and coalesce(c.valid_to, 'infinity'::timestamptz) > %(at)s))
  and (%(after_at)s::timestamptz is null or (c.valid_from, c.containment_id) > (%(after_at)s, %(after_id)s))
order by c.valid_from, c.containment_id
limit %(limit)s;

-- name: containment_conflicts
select kind, parents, valid_from, valid_to, evidence from containment_conflicts
where child_id = %(thing_id)s and superseded_at is null order by valid_from, kind;

-- name: what_is_in_what
with recursive above (thing_id) as (
    select thing_id from shipment_things where shipment_id = %(shipment_id)s
    union
    select c.parent_id from above join containments c on c.child_id = above.thing_id and c.superseded_at is null
)
select c.uri as child, c.label as child_label, p.uri as parent, p.label as parent_label, s.valid_from, s.valid_to,
       s.quantity
from above
join containments s on s.child_id = above.thing_id and s.superseded_at is null
join things c on c.thing_id = s.child_id
join things p on p.thing_id = s.parent_id
order by s.valid_from, c.uri
limit %(limit)s;

-- name: milestones
-- Those that are held true now; or, with `known_at`, that were then.
select m.time, m.kind, m.area, m.detail, p.code || '/' || d.code as device, c.role, m.at_time, m.recorded_at
from unnest(%(devices)s::bigint[], %(froms)s::timestamptz[], %(tos)s::timestamptz[], %(roles)s::text[])
     as c (device_id, valid_from, valid_to, role)
join milestones m on m.device_id = c.device_id
 and (m.superseded_at is null or m.superseded_at > %(known_at)s::timestamptz)
 and m.recorded_at <= coalesce(%(known_at)s::timestamptz, 'infinity')
 and m.time >= c.valid_from and m.time < coalesce(c.valid_to, 'infinity')
join devices d on d.device_id = c.device_id
join parks p on p.park_id = d.park_id
order by m.time, m.milestone_id;

-- name: findings
-- Those that are held true now; or, with `known_at`, that were then.
select f.finding_id, f.rule, f.rules_version, f.cause, f.verdict, f.state, f.severity, f.opened_at, f.closed_at,
       f.place, f.evidence, f.parameters, f.terms_revision, f.recorded_at
from findings f
where f.shipment_id = %(shipment_id)s and (%(withdrawn)s or f.state <> 'withdrawn')
  and (f.superseded_at is null or f.superseded_at > %(known_at)s::timestamptz)
  and f.recorded_at <= coalesce(%(known_at)s::timestamptz, 'infinity')
order by f.opened_at desc, f.finding_id;

-- name: custody_state
select state, judged_through, rules_version, recorded_at from custody_states where shipment_id = %(shipment_id)s;

-- name: terms
select revision, valid_from, body, recorded_at, recorded_by
from terms where shipment_id = %(shipment_id)s order by revision desc limit 1;

-- name: alerts
-- Newest first: one that was opened again is as new as its opening.
select a.alert_id, s.number as shipment, p.code as park, a.rule, a.cause, a.finding_id, a.severity, a.state,
       a.opened_at, a.raised_at, a.occurrences
from alerts a join shipments s using (shipment_id) join parks p using (park_id)
where (%(state)s::text is null or a.state = %(state)s)
  and (%(shipment)s::text is null or s.number = %(shipment)s)
  and (%(after_at)s::timestamptz is null or (a.raised_at, a.alert_id) < (%(after_at)s, %(after_id)s))
order by a.raised_at desc, a.alert_id desc
limit %(limit)s;

-- name: act_on_alert
-- Nobody takes note of an alert that is resolved: another finding would open it again.
with stands as (
    select alert_id, %(action)s = 'acknowledge' and state = 'resolved' as too_late
    from alerts where alert_id = %(alert_id)s for update
), moved as (
    update alerts a
    set state = case %(action)s when 'acknowledge' then 'acknowledged' when 'resolve' then 'resolved' else state end
    from stands
    where a.alert_id = stands.alert_id and not too_late
)
select too_late from stands;

-- name: add_alert_action
insert into alert_actions (alert_id, action, by, comment, at)
values (%(alert_id)s, %(action)s, %(by)s, %(comment)s, %(at)s);

-- name: areas
-- The areas in force at a moment.
select a.code, a.kind, p.code as park, r.revision, r.geometry, r.tolerance_m, r.properties, r.valid_from, r.valid_to
from areas a
join parks p using (park_id)
join area_revisions r using (area_id)
where r.geometry is not null
  and r.valid_from <= %(at)s and coalesce(r.valid_to, 'infinity') > %(at)s
  and (%(park)s::text is null or p.code = %(park)s)
  and (%(corridors)s::boolean is null or (a.kind = 'corridor') = %(corridors)s)
order by a.code;

-- name: devices
select d.device_id, p.code as park, d.code, d.kind, d.name, d.dialect, d.datum, d.expected_every_s, d.registered_at, d.revoked_at,
       t.head_time as last_seen
from devices d join parks p using (park_id) left join device_tracks t using (device_id)
where (%(park)s::text is null or p.code = %(park)s)
  and (%(after)s::bigint is null or d.device_id > %(after)s)
order by d.device_id
limit %(limit)s;

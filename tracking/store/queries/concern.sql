-- Whom does a change concern? Always everybody, and now and then somebody too many: who is judged in vain stays as
-- it was.

-- name: concerned_shipments
-- Superseded attachments count: who carried yesterday by mistake is judged again without it. Each thing is met once
-- a moment, so rings end. An end at the very moment counts, because the scan that ends a stay is said of it, too.
with recursive changed (device_id, since) as (
    select * from unnest(%(device_ids)s::bigint[], %(device_froms)s::timestamptz[]) as given
), told (thing_id, since) as (
    select * from unnest(%(thing_ids)s::bigint[], %(thing_froms)s::timestamptz[]) as given
), new_papers (entry) as (
    select unnest(%(entries)s::bigint[])
    union
    -- a gate has named the pass
    select l.entry from told join things t using (thing_id) join document_links l using (thing_id) where t.kind = 'pass'
    union
    -- somebody has said something of an observation before that came in
    select l.entry
    from changed
    join document_links l on l.device_id = changed.device_id and l.run is not null
    join mentions m on m.device_id = l.device_id and m.run = l.run and m.seq = l.seq and m.event_time >= changed.since
), papers (entry) as (
    select entry from new_papers
    union
    -- all that is said of a pass concerns whom it is for
    select other.entry
    from new_papers
    join document_links l using (entry)
    join things t on t.thing_id = l.thing_id and t.kind = 'pass'
    join document_links other on other.thing_id = t.thing_id
), inside (thing_id, since) as (
    (
        select a.thing_id, changed.since
        from changed join attachments a using (device_id)
        where coalesce(a.valid_to, 'infinity') >= changed.since
        union
        select thing_id, since from told
        union
        select l.thing_id, d.time - %(reach)s::interval
        from papers join documents d using (entry) join document_links l using (entry)
        where l.thing_id is not null
        union
        -- what the gate read that somebody has corrected or decided upon
        select m.thing_id, m.event_time
        from papers join document_links l using (entry) join mentions m on (m.device_id, m.run, m.seq) = (l.device_id, l.run, l.seq)
        where m.thing_id is not null
        union
        -- a calibration holds for what the device is on from then on, a key for all that was ever signed with it
        select a.thing_id, case d.kind when 'device_key' then a.valid_from else d.time end
        from papers
        join documents d using (entry)
        join document_links l on l.entry = d.entry and l.run is null
        join attachments a on a.device_id = l.device_id
        where d.kind = 'device_key' or coalesce(a.valid_to, 'infinity') >= d.time
        union
        select m.thing_id, m.event_time
        from papers
        join documents d on d.entry = papers.entry and d.kind = 'device_key'
        join document_links l on l.entry = d.entry
        join mentions m on m.device_id = l.device_id and m.kind = %(handover)s
        where m.thing_id is not null
        union
        -- a number of what was told has come again with another content
        select m.thing_id, m.event_time
        from changed
        join rejections r on r.device_id = changed.device_id and r.reason = 'seq_reused' and r.received_at >= changed.since
        join mentions m on m.device_id = r.device_id and m.run = r.run and m.seq = r.seq
        where m.thing_id is not null
    )
    union
    select c.child_id, inside.since
    from inside
    join containments c on c.parent_id = inside.thing_id and c.superseded_at is null
     and coalesce(c.valid_to, 'infinity'::timestamptz) >= inside.since
), gates (zone, since) as (
    -- a gate has fallen silent or been heard again: rules about its zone are in doubt, or no longer
    select distinct r.properties ->> 'parent', changed.since
    from changed
    join devices d using (device_id)
    join areas a on a.park_id = d.park_id and a.code = d.code and a.kind = 'gate'
    join area_revisions r using (area_id)
    where exists (
        select from milestones m
        where m.device_id = changed.device_id and m.kind in ('silent', 'heard') and m.time >= changed.since
          and m.superseded_at is null
    ) or exists (
        select from milestones m
        where m.device_id = changed.device_id and m.kind in ('silent', 'heard') and m.time >= changed.since
          and m.superseded_at is not null
    )
)
select st.shipment_id
from inside join shipment_things st using (thing_id)
where coalesce(st.valid_to, 'infinity') >= inside.since
union
select st.shipment_id
from unnest(%(goods_ids)s::bigint[], %(goods_froms)s::timestamptz[]) as given (thing_id, since)
join shipment_things st using (thing_id)
where coalesce(st.valid_to, 'infinity') >= given.since
union
select l.shipment_id from papers join document_links l using (entry) where l.shipment_id is not null
union
select s.shipment_id
from gates
join shipments s on s.closed_at is null or s.closed_at >= gates.since
join terms t on t.shipment_id = s.shipment_id and strpos(t.body::text, '"' || gates.zone || '"') > 0

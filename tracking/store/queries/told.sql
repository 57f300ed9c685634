-- What devices say of things: rows that find an observation by what it names, and the observations that they find.

-- name: add_mentions
-- Who is in a thing that is named is to be judged; who consists of it, where it is named as a parent only. A thing
-- that moves is folded first, and that leaves the same work.
with given as (
    select *
    from unnest(
        %b::bigint[], %b::int[], %b::bigint[], %b::timestamptz[], %b::smallint[], %b::text[], %b::bool[], %b::bool[]
    ) as g (device_id, run, seq, event_time, kind, uri, is_parent, is_move)
), kept as (
    insert into mentions (device_id, run, seq, event_time, kind, thing_id, is_parent)
    select g.device_id, g.run, g.seq, g.event_time, g.kind, t.thing_id, g.is_parent
    from given g left join things t using (uri)
)
insert into work (kind, key, changed_from, urgent)
select case when g.is_parent then 'goods' else 'contents' end, t.thing_id, min(g.event_time), bool_or(g.kind = %s)
from given g join things t using (uri)
where not g.is_move
group by g.is_parent, t.thing_id
order by g.is_parent, t.thing_id

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

-- name: told_of
-- What was said of these things while they were aboard, the last moment included (so that a scan that unloads counts);
-- by the devices on them, whatever they named; of the passes of these documents, and whatever these are about, at any
-- time. An observation that somebody has taken away isn't there: that it is missing is told by verification.
with named (owner, device_id, event_time, run, seq) as (
    select g.owner, m.device_id, m.event_time, m.run, m.seq
    from unnest(
        %(owners)s::bigint[], %(thing_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[], %(goods)s::bool[]
    ) as g (owner, thing_id, begins, ends, is_goods)
    join mentions m on m.thing_id = g.thing_id and m.event_time >= g.begins and m.event_time <= coalesce(g.ends, 'infinity')
    where g.is_goods or not m.is_parent
    union
    select c.owner, m.device_id, m.event_time, m.run, m.seq
    from unnest(
        %(by_owners)s::bigint[], %(device_ids)s::bigint[], %(by_begins)s::timestamptz[], %(by_ends)s::timestamptz[]
    ) as c (owner, device_id, begins, ends)
    join mentions m on m.device_id = c.device_id and m.event_time >= c.begins and m.event_time <= coalesce(c.ends, 'infinity')
    where m.kind = any(%(kinds)s::smallint[])
    union
    select d.owner, m.device_id, m.event_time, m.run, m.seq
    from unnest(%(paper_owners)s::bigint[], %(entries)s::bigint[]) as d (owner, entry)
    join document_links l using (entry)
    join things t on t.thing_id = l.thing_id and t.kind = 'pass'
    join mentions m on m.thing_id = t.thing_id
    union
    select d.owner, m.device_id, m.event_time, m.run, m.seq
    from unnest(%(paper_owners)s::bigint[], %(entries)s::bigint[]) as d (owner, entry)
    join document_links l on l.entry = d.entry and l.run is not null
    join mentions m on m.device_id = l.device_id and m.run = l.run and m.seq = l.seq
)
select n.owner, n.device_id, p.code || '/' || d.code, d.kind, d.dialect, d.datum, n.event_time, n.run, n.seq, o.body
from named n
join counted_observations o
  on o.device_id = n.device_id and o.event_time = n.event_time and o.run = n.run and o.seq = n.seq
join devices d on d.device_id = n.device_id
join parks p using (park_id)
order by n.owner, n.event_time, p.code, d.code, n.run, n.seq

-- name: scans_of
-- What scanned a thing itself, newest first.
select m.thing_id, m.device_id, p.code || '/' || d.code, d.kind, d.dialect, d.datum, m.event_time, m.run, m.seq, o.body
from mentions m
join counted_observations o
  on o.device_id = m.device_id and o.event_time = m.event_time and o.run = m.run and o.seq = m.seq
join devices d on d.device_id = m.device_id
join parks p using (park_id)
where m.thing_id = %(thing_id)s and m.kind = %(kind)s and not m.is_parent
order by m.event_time desc, p.code desc, d.code desc, m.run desc, m.seq desc
limit %(limit)s

-- name: reused
-- Numbers that came again with another content: of the devices on the goods, while they were, and of what is told.
select c.owner, p.code || '/' || d.code, o.event_time, o.run, o.seq
from unnest(
    %(by_owners)s::bigint[], %(device_ids)s::bigint[], %(by_begins)s::timestamptz[], %(by_ends)s::timestamptz[]
) as c (owner, device_id, begins, ends)
join rejections r
  on r.device_id = c.device_id and r.reason = 'seq_reused'
 and r.received_at <= coalesce(c.ends, 'infinity') + %(reach)s::interval
join counted_observations o
  on o.device_id = r.device_id and o.run = r.run and o.seq = r.seq
 and o.event_time >= c.begins and o.event_time < coalesce(c.ends, 'infinity')
join devices d on d.device_id = c.device_id
join parks p using (park_id)
union
select t.owner, p.code || '/' || d.code, m.event_time, m.run, m.seq
from unnest(%(owners)s::bigint[], %(told_ids)s::bigint[], %(runs)s::int[], %(seqs)s::bigint[])
    as t (owner, device_id, run, seq)
join rejections r on r.device_id = t.device_id and r.run = t.run and r.seq = t.seq and r.reason = 'seq_reused'
join mentions m on m.device_id = t.device_id and m.run = t.run and m.seq = t.seq
join devices d on d.device_id = t.device_id
join parks p using (park_id)
order by 1, 3, 2, 4, 5

-- What devices measured while they carried something. Each row says the carriage's place in the question, from 1.

-- name: measuring
-- Asked first, because most devices measure nothing, and each look into every week's readings costs.
select device_id from unnest(%(device_ids)s::bigint[]) as asked (device_id)
where exists (select from readings r where r.device_id = asked.device_id)

-- name: odd
-- Devices some of whose numbers are missing, or came again with another content. Most have neither.
select device_id, 'missing' from sequence_gaps where device_id = any(%(device_ids)s) and filled_at is null
union
select device_id, 'reused' from rejections where device_id = any(%(device_ids)s) and reason = 'seq_reused'

-- name: samples
-- Of each quantity the values within the carriage, and the newest before it. The recursion hops from quantity to
-- quantity along the key.
with recursive asked (device_id, begins, ends, place) as (
    select * from unnest(%(device_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) with ordinality
), measured (device_id, begins, ends, place, quantity) as (
    select a.*, (select min(quantity) from readings r where r.device_id = a.device_id) from asked a
    union all
    select m.device_id, m.begins, m.ends, m.place,
           (select min(quantity) from readings r where r.device_id = m.device_id and r.quantity > m.quantity)
    from measured m
    where m.quantity is not null
)
select m.place, v.event_time, m.quantity, v.value, v.run, v.seq
from measured m
cross join lateral (
    select r.event_time, r.value, r.run, r.seq
    from counted_readings r
    where r.device_id = m.device_id and r.quantity = m.quantity
      and r.event_time >= m.begins and r.event_time < coalesce(m.ends, 'infinity')
    union all
    (
        select r.event_time, r.value, r.run, r.seq
        from counted_readings r
        where r.device_id = m.device_id and r.quantity = m.quantity and r.event_time < m.begins
        order by r.event_time desc, r.run desc, r.seq desc
        limit 1
    )
) v
where m.quantity is not null
order by m.place, v.event_time, m.quantity, v.run, v.seq

-- name: fixes
select c.place, o.event_time, o.lon, o.lat, o.accuracy_m, o.speed_mps, o.run, o.seq
from unnest(%(device_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
    with ordinality as c (device_id, begins, ends, place)
join counted_observations o
  on o.device_id = c.device_id and o.kind = 1
 and o.event_time >= c.begins and o.event_time < coalesce(c.ends, 'infinity')
order by c.place, o.event_time, o.run, o.seq

-- name: missing
-- Numbers that never came, with when those beside them were said.
select a.place, g.run, g.first_seq, g.last_seq, least(o.event_time, o.next_time), greatest(o.event_time, o.next_time)
from unnest(%(device_ids)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
    with ordinality as a (device_id, begins, ends, place)
cross join lateral (
    select run, seq, event_time, lead(seq) over numbered as next_seq, lead(event_time) over numbered as next_time
    from counted_observations
    where device_id = a.device_id and run >= 0
      and event_time >= a.begins - %(reach)s::interval and event_time <= coalesce(a.ends, 'infinity') + %(reach)s::interval
    window numbered as (partition by run order by seq)
) o
join sequence_gaps g
  on g.device_id = a.device_id and g.filled_at is null and g.run = o.run
 and g.first_seq > o.seq and g.last_seq < o.next_seq
where o.next_seq > o.seq + 1
  and least(o.event_time, o.next_time) < coalesce(a.ends, 'infinity')
  and greatest(o.event_time, o.next_time) > a.begins
order by a.place, 5, g.run, g.first_seq

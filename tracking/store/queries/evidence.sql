-- The raw messages that findings rest on.

-- name: opened
-- Whether they count doesn't matter here: what was said was said.
select asked.place, d.dialect, o.received_at, o.recorded_at, o.batch_id, o.leaf, o.body, b.root, l.index
from unnest(%(devices)s::text[], %(times)s::timestamptz[], %(runs)s::int[], %(seqs)s::bigint[])
    with ordinality as asked (device, time, run, seq, place)
join parks p on p.code = split_part(asked.device, '/', 1)
join devices d on d.park_id = p.park_id and d.code = split_part(asked.device, '/', 2)
join observations o on o.device_id = d.device_id and o.event_time = asked.time and o.run = asked.run and o.seq = asked.seq
left join batches b using (batch_id)
left join log l on l.kind = 'batch' and l.key = o.batch_id
order by asked.place

-- Snapshots and milestones of one device, by key.

-- name: snapshot_before
select time, run, seq, state
from track_snapshots
where device_id = %(device_id)s and (time, run, seq) < (%(time)s, %(run)s, %(seq)s)
order by time desc, run desc, seq desc
limit 1

-- name: snapshots_from
select time, run, seq, state
from track_snapshots
where device_id = %(device_id)s and (time, run, seq) >= (%(time)s, %(run)s, %(seq)s)
order by time, run, seq
limit %(limit)s

-- name: drop_snapshots_in_error
-- A state that stands at an observation which doesn't count would be found by nobody who folds again.
delete from track_snapshots s
using standing_corrections c
where s.device_id = %(device_id)s and c.device_id = s.device_id and c.event_time = s.time and c.run = s.run and c.seq = s.seq

-- name: milestones_between
select milestone_id, time, kind, area, detail, at_time, at_run, at_seq
from milestones
where device_id = %(device_id)s
  and superseded_at is null
  and at_time >= %(after_time)s and at_time <= %(upto_time)s
  and (at_time, at_run, at_seq) > (%(after_time)s, %(after_run)s, %(after_seq)s)
  and (at_time, at_run, at_seq) <= (%(upto_time)s, %(upto_run)s, %(upto_seq)s)
order by at_time, at_run, at_seq, milestone_id

-- name: supersede_milestones
update milestones set superseded_at = %(at)s where milestone_id = any(%(milestone_ids)b::bigint[]) and superseded_at is null

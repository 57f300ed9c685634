-- What couldn't be taken, for people who look into it.

-- name: listed
-- Newest first. topic: of one device; before: the last id of the page before.
select rejection_id, topic, reason, detail, run, seq, octet_length(payload), received_at, replayed_at
from rejections
where (%(reason)s::text is null or reason = %(reason)s)
  and (%(topic)s::text is null or topic = %(topic)s)
  and (%(waiting)s = false or replayed_at is null)
  and (%(before)s::bigint is null or rejection_id < %(before)s)
order by rejection_id desc
limit %(limit)s

-- name: whole
select rejection_id, topic, payload, properties, reason, detail, run, seq, received_at, recorded_at, replayed_at, leaf
from rejections
where rejection_id = %s

-- name: waiting
-- In the order of arrival, so that a replay lets each device's events come in theirs.
select rejection_id
from rejections
where replayed_at is null
  and (%(reason)s::text is null or reason = %(reason)s)
  and (%(topic)s::text is null or topic = %(topic)s)
order by received_at, rejection_id

-- What people decide about findings.

-- name: of_shipments
select shipment_id, entry, finding_id, kind, rule, cause, until, reason, by, recorded_at
from decisions
where shipment_id = any(%(ids)s) and recorded_at <= coalesce(%(known_at)s::timestamptz, 'infinity')
order by entry

-- name: lock_shipment
-- The judge and whoever decides wait for each other here.
select s.shipment_id, p.code from shipments s join parks p using (park_id) where s.number = %(number)s for no key update of s

-- name: finding
select rule, cause, state from findings
where shipment_id = %(shipment_id)s and finding_id = %(finding_id)s and superseded_at is null

-- name: add
insert into decisions (shipment_id, finding_id, kind, rule, cause, until, reason, by, recorded_at)
values (%(shipment_id)s, %(finding_id)s, %(kind)s, %(rule)s, %(cause)s, %(until)s, %(reason)s, %(by)s, %(recorded_at)s)
returning entry

-- name: settle
-- The alert of a rule and cause is resolved once somebody has decided on every finding in it that holds.
with settled as (
    update alerts a set state = 'resolved'
    where a.shipment_id = %(shipment_id)s and a.rule = %(rule)s and a.cause = %(cause)s and a.state <> 'resolved'
      and not exists (
          select from alert_findings f join findings v on v.finding_id = f.finding_id and v.superseded_at is null
          where f.alert_id = a.alert_id and v.state <> 'withdrawn' and v.verdict = 'finding' and v.severity <> 'info'
            and not exists (
                select from decisions d
                where d.shipment_id = a.shipment_id
                  and (d.finding_id = v.finding_id
                       or d.rule = v.rule and d.cause = v.cause and v.opened_at < d.until)
            )
      )
    returning a.alert_id
)
insert into alert_actions (alert_id, action, by, comment, at)
select alert_id, 'resolve', %(by)s, %(comment)s, %(at)s from settled
returning alert_id

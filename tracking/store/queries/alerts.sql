-- Alerts and the findings in them.

-- name: worsen_known
-- A finding that stands in an alert already. The old severity comes from the row as this statement found it.
with known as (
    select a.alert_id, a.occurrences,
           a.state <> 'resolved'
           and array_position(array['info', 'minor', 'major', 'critical'], %(severity)s::text)
               > array_position(array['info', 'minor', 'major', 'critical'], a.severity) as worse
    from alert_findings f
    join alerts a using (alert_id)
    where f.finding_id = %(finding_id)s
), worsened as (
    update alerts a set severity = %(severity)s from known where a.alert_id = known.alert_id and known.worse
)
select alert_id, occurrences, worse from known

-- name: raise
with before as (
    select severity from alerts
    where shipment_id = %(shipment_id)s and rule = %(rule)s and cause = %(cause)s and state <> 'resolved'
), raised as (
    insert into alerts (shipment_id, rule, cause, finding_id, severity, opened_at, raised_at)
    values (
        %(shipment_id)s, %(rule)s, %(cause)s, %(finding_id)s, %(severity)s, %(opened_at)s, %(raised_at)s
    )
    on conflict (shipment_id, rule, cause) where state <> 'resolved' do update
    set occurrences = alerts.occurrences + 1,
        finding_id = excluded.finding_id,
        severity = case
            when array_position(array['info', 'minor', 'major', 'critical'], excluded.severity)
                 > array_position(array['info', 'minor', 'major', 'critical'], alerts.severity)
            then excluded.severity else alerts.severity end
    returning alert_id, occurrences, severity
), remembered as (
    insert into alert_findings (finding_id, alert_id) select %(finding_id)s, alert_id from raised
)
select raised.alert_id, raised.occurrences, raised.severity is distinct from before.severity
from raised left join before on true

-- name: resolve_withdrawn
with gone as (
    select distinct alert_id
    from alert_findings touched
    where touched.finding_id = any(%(finding_ids)b::text[])
      and not exists (
          select from alert_findings f
          join findings v on v.finding_id = f.finding_id and v.superseded_at is null
          where f.alert_id = touched.alert_id and v.state <> 'withdrawn'
      )
), resolved as (
    update alerts a set state = 'resolved' from gone
    where a.alert_id = gone.alert_id and a.state <> 'resolved'
    returning a.alert_id
), noted as (
    insert into alert_actions (alert_id, action, by, comment, at)
    select alert_id, 'withdraw', %(by)s, %(comment)s, %(at)s from resolved
)
select alert_id from resolved order by alert_id

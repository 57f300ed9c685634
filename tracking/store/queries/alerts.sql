-- Alerts and the findings in them.

-- name: known
-- A finding that stands in an alert already: told again, or graver. The old severity comes from the row as this statement
-- found it.
with known as (
    select a.alert_id,
           a.state <> 'resolved'
           and array_position(array['info', 'minor', 'major', 'critical'], %(severity)s::text)
               > array_position(array['info', 'minor', 'major', 'critical'], a.severity) as worse
    from alert_findings f
    join alerts a using (alert_id)
    where f.finding_id = %(finding_id)s
), worsened as (
    update alerts a set severity = %(severity)s from known where a.alert_id = known.alert_id and known.worse
)
select alert_id, worse from known

-- name: raise
-- A finding that no alert knows. Into a resolved alert it comes by opening it again, with its own severity; unless it is
-- only another finding's new date.
with before as (
    select alert_id, state, severity,
           state = 'resolved' and %(opens)s as opens,
           array_position(array['info', 'minor', 'major', 'critical'], %(severity)s::text)
           > array_position(array['info', 'minor', 'major', 'critical'], severity) as worse
    from alerts
    where shipment_id = %(shipment_id)s and rule = %(rule)s and cause = %(cause)s
), changed as (
    update alerts a
    set state = case when before.opens then 'open' else a.state end,
        raised_at = case when before.opens then %(raised_at)s else a.raised_at end,
        severity = case when before.opens or before.worse then %(severity)s else a.severity end
    from before
    where a.alert_id = before.alert_id
), made as (
    insert into alerts (shipment_id, rule, cause, finding_id, severity, opened_at, raised_at)
    select %(shipment_id)s, %(rule)s, %(cause)s, %(finding_id)s, %(severity)s, %(opened_at)s, %(raised_at)s
    where not exists (select from before)
    returning alert_id
), stands as (
    select alert_id, 'new' as news from made
    union all
    select alert_id, case when opens then 'reopened' when worse and state <> 'resolved' then 'worse' else 'again' end
    from before
), remembered as (
    insert into alert_findings (finding_id, alert_id) select %(finding_id)s, alert_id from stands
), noted as (
    insert into alert_actions (alert_id, action, by, comment, at)
    select alert_id, 'reopen', %(by)s, 'another finding of this rule and cause', %(raised_at)s
    from stands where news = 'reopened'
)
select alert_id, news from stands

-- name: reopen_withdrawn
-- An alert that late data resolved, and whose finding holds again. One that a person resolved stays so.
with last as (
    select action from alert_actions where alert_id = %(alert_id)s order by action_id desc limit 1
), reopened as (
    update alerts a set state = 'open', raised_at = %(at)s
    from last
    where a.alert_id = %(alert_id)s and a.state = 'resolved' and last.action = 'withdraw'
    returning a.alert_id
)
insert into alert_actions (alert_id, action, by, comment, at)
select alert_id, 'reopen', %(by)s, %(comment)s, %(at)s from reopened

-- name: recount
-- Every finding that holds counts once; the newest of them is the one to show. Without any, the alert is resolved, and
-- keeps its count.
with touched as (
    select distinct alert_id from alert_findings where finding_id = any(%(finding_ids)b::text[])
), holding as (
    select t.alert_id, v.finding_id, v.opened_at
    from touched t
    join alert_findings f using (alert_id)
    join findings v on v.finding_id = f.finding_id and v.superseded_at is null
    where v.state <> 'withdrawn' and v.verdict = 'finding' and v.severity <> 'info'
), newest as (
    select distinct on (alert_id) alert_id, finding_id, opened_at, count(*) over (partition by alert_id) as findings
    from holding
    order by alert_id, opened_at desc, finding_id
), counted as (
    update alerts a set occurrences = n.findings, finding_id = n.finding_id, opened_at = n.opened_at
    from newest n
    where a.alert_id = n.alert_id
), resolved as (
    update alerts a set state = 'resolved'
    from touched t
    where a.alert_id = t.alert_id and a.state <> 'resolved' and not exists (select from newest n where n.alert_id = t.alert_id)
    returning a.alert_id
), noted as (
    insert into alert_actions (alert_id, action, by, comment, at)
    select alert_id, 'withdraw', %(by)s, %(comment)s, %(at)s from resolved
)
select alert_id from resolved order by alert_id

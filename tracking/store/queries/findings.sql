-- Findings: every version is kept; the effective one has superseded_at null.

-- name: effective
select finding_id, rule, rules_version, cause, verdict, state, severity, opened_at, closed_at, evidence, parameters,
       terms_revision, place
from findings
where shipment_id = %(shipment_id)s and superseded_at is null
order by opened_at, finding_id

-- name: effective_of
select shipment_id, finding_id, rule, rules_version, cause, verdict, state, severity, opened_at, closed_at, evidence,
       parameters, terms_revision, place
from findings
where shipment_id = any(%(shipment_ids)b::bigint[]) and superseded_at is null
order by shipment_id, opened_at, finding_id

-- name: supersede
update findings
set superseded_at = %(at)s
where finding_id = any(%(finding_ids)b::text[]) and superseded_at is null

-- name: insert
insert into findings (
    shipment_id, recorded_at, finding_id, rule, rules_version, cause, verdict, state, severity, opened_at, closed_at,
    evidence, parameters, terms_revision, place
)
select
    unnest(%(shipment_ids)b::bigint[]), %(recorded_at)s, unnest(%(finding_ids)b::text[]), unnest(%(rules)b::text[]),
    unnest(%(rules_versions)b::int[]), unnest(%(causes)b::text[]), unnest(%(verdicts)b::text[]),
    unnest(%(states)b::text[]), unnest(%(severities)b::text[]), unnest(%(opened_at)b::timestamptz[]),
    unnest(%(closed_at)b::timestamptz[]), unnest(%(evidence)b::text[])::jsonb, unnest(%(parameters)b::text[])::jsonb,
    unnest(%(terms_revisions)b::int[]), unnest(%(places)b::text[])::jsonb

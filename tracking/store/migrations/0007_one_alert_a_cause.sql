-- One alert for each shipment, rule and cause, opened again rather than repeated. Where there were several, the newest
-- takes over the findings and the actions of the others.
create temporary table kept on commit drop as
select alert_id, max(alert_id) over (partition by shipment_id, rule, cause) as into_id from alerts;

update alert_findings f set alert_id = k.into_id from kept k where k.alert_id = f.alert_id and k.into_id <> f.alert_id;
update alert_actions a set alert_id = k.into_id from kept k where k.alert_id = a.alert_id and k.into_id <> a.alert_id;
delete from alerts a using kept k where k.alert_id = a.alert_id and k.into_id <> a.alert_id;

drop index alerts_shipment_id_rule_cause_idx;
create unique index alerts_of_a_cause on alerts (shipment_id, rule, cause);
create index alerts_open on alerts (raised_at desc, alert_id desc) where state = 'open';

comment on column alerts.occurrences is 'findings of this rule and cause that hold';
comment on column alerts.raised_at is 'when it was raised, or opened again';

-- All rows of a device or shipment are taken together, and those of one kind in order.
create index work_of_one on work (kind, key);
create index work_of_a_kind on work (kind, urgent desc, due_at, work_id);

-- What people decide about findings. Facts, never changed: the newest word about a finding counts.

create table decisions (
    entry       bigint generated always as identity primary key,
    shipment_id bigint not null references shipments,
    finding_id  text not null,
    kind        text not null check (kind in ('explain', 'waive')),
    rule        text not null,          -- of the finding, so that a scope needs no finding to be read
    cause       text not null,
    until       timestamptz,            -- a waiver of the rule and cause: of findings that open before; null: of this one
    reason      text not null check (reason <> ''),
    by          text not null,
    recorded_at timestamptz not null,
    check (until is null or kind = 'waive')
);
create index decisions_of_shipment on decisions (shipment_id, entry);

-- Custody: shipments, terms, findings, alerts, and what leaves the house.

create table shipments (
    shipment_id bigint generated always as identity primary key,
    park_id     bigint not null references parks,
    number      text not null unique,
    reference   text not null default '',   -- declaration or bill, as the owner writes it
    state       text not null default 'open' check (state in ('open', 'closed')),
    created_at  timestamptz not null,
    closed_at   timestamptz
);
create index on shipments (created_at desc, shipment_id desc);
create index on shipments (upper(number) text_pattern_ops);
create index on shipments (upper(reference) text_pattern_ops) where reference <> '';

create table shipment_things (
    shipment_id bigint not null references shipments,
    thing_id    bigint not null references things,
    valid_from  timestamptz not null,
    valid_to    timestamptz,
    recorded_at timestamptz not null,
    primary key (shipment_id, thing_id, valid_from)
);
create index on shipment_things (thing_id);

create table terms (
    shipment_id bigint not null references shipments,
    revision    int not null,
    valid_from  timestamptz not null,
    body        jsonb not null,
    recorded_at timestamptz not null,
    recorded_by text not null,
    primary key (shipment_id, revision)
);

create table custody_states (
    shipment_id     bigint primary key references shipments,
    state           jsonb not null,         -- leg in force, area, undetermined intervals
    judged_through  timestamptz not null,   -- the watermark it was judged under
    rules_version   int not null,
    recorded_at     timestamptz not null
);

-- Every version of every finding; the effective one has superseded_at null.
create table findings (
    finding_version bigint generated always as identity primary key,
    finding_id      text not null,          -- hash of shipment, rule, cause, opening time
    shipment_id     bigint not null references shipments,
    rule            text not null,
    rules_version   int not null,
    cause           text not null,          -- what the rule is about: area code, device
    verdict         text not null check (verdict in ('finding', 'undetermined')),
    state           text not null check (state in ('open', 'closed', 'withdrawn')),
    severity        text not null check (severity in ('critical', 'major', 'minor', 'info')),
    opened_at       timestamptz not null,   -- event time
    closed_at       timestamptz,
    place           jsonb,
    evidence        jsonb not null,
    parameters      jsonb not null,
    terms_revision  int not null,
    recorded_at     timestamptz not null,
    superseded_at   timestamptz
);
create unique index on findings (finding_id) where superseded_at is null;
create index on findings (shipment_id, opened_at) where superseded_at is null;

create table alerts (
    alert_id        bigint generated always as identity primary key,
    shipment_id     bigint not null references shipments,
    rule            text not null,
    cause           text not null,
    finding_id      text not null,
    severity        text not null,
    state           text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
    opened_at       timestamptz not null,   -- event time of the finding
    raised_at       timestamptz not null,
    occurrences     int not null default 1  -- findings of the same rule and cause while it was not resolved
);
create unique index on alerts (shipment_id, rule, cause) where state <> 'resolved';
create index on alerts (raised_at desc, alert_id desc);

-- Which alert a finding went into: a finding is counted once, however often it is judged.
create table alert_findings (
    finding_id  text primary key,
    alert_id    bigint not null references alerts
);
create index on alert_findings (alert_id);

create table alert_actions (
    action_id   bigint generated always as identity primary key,
    alert_id    bigint not null references alerts,
    action      text not null,
    by          text not null,
    comment     text not null default '',
    at          timestamptz not null
);
create index on alert_actions (alert_id, action_id);

create table commands (
    command_id  uuid primary key,
    device_id   bigint not null references devices,
    command     text not null,
    args        jsonb not null default '{}',
    created_at  timestamptz not null,
    expires_at  timestamptz,
    result      jsonb,
    answered_at timestamptz
);

-- What must reach MQTT at least once: alerts and commands. Written with its cause in one transaction.
create table outbox (
    outbox_id   bigint generated always as identity primary key,
    topic       text not null,
    payload     bytea not null,
    qos         smallint not null default 1,
    created_at  timestamptz not null,
    sent_at     timestamptz
);
create index on outbox (outbox_id) where sent_at is null;

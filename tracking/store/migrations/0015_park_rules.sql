-- How parks change rules for their shipments. Revisions, added to; a park without any leaves the rules as they are.

create table park_rules (
    entry       bigint generated always as identity unique,
    park_id     bigint not null references parks,
    revision    int not null,
    valid_from  timestamptz not null,
    body        jsonb not null,
    recorded_at timestamptz not null,
    recorded_by text not null,
    primary key (park_id, revision)
);

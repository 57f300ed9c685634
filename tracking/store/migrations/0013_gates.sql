-- Gates: what their barriers were told, and what they did.

-- Never changed. One row for each vehicle at a gate, decided by the system once; one more for each word of an officer.
create table gate_decisions (
    decision_id bigint generated always as identity primary key,
    device_id   bigint not null references devices,
    gate        text not null,                      -- code, as its device says it
    event_time  timestamptz not null,               -- of the gate's report, with run and seq its key
    run         int not null,
    seq         bigint not null,
    decided_at  timestamptz not null,
    decision    text not null check (decision in ('open', 'hold', 'inspect')),
    reasons     jsonb not null,
    pass_number text,
    uses_pass   boolean not null,
    shipments   text[] not null,                    -- aboard, as far as anybody knew
    decided_by  text not null,                      -- system, or who spoke
    entry       bigint unique references documents, -- the officer's word; null: the system's own decision
    fallback    text not null,                      -- what the gate does when it hears nothing
    within_s    double precision not null,          -- and after how long
    command_id  uuid unique references commands deferrable initially deferred, -- null: nothing was sent
    unsent      text,                               -- why not
    check (num_nonnulls(command_id, unsent) = 1)
);
create unique index gate_decisions_once on gate_decisions (device_id, run, seq) where entry is null;
create index gate_decisions_of_gate on gate_decisions (gate, decision_id desc);
create index gate_decisions_of_shipments on gate_decisions using gin (shipments);

-- What a gate did, in its own words. Never changed.
create table gate_actions (
    device_id   bigint not null references devices,
    run         int not null,                       -- of the gate's report that it acted upon
    seq         bigint not null,
    told_run    int not null,                       -- of the result event
    told_seq    bigint not null,
    event_time  timestamptz not null,
    did         text not null,
    by_fallback boolean not null,
    command_id  uuid,
    primary key (device_id, told_run, told_seq)
);
create index gate_actions_of_report on gate_actions (device_id, run, seq);

-- Which of a gate's reports are still to be decided.
create index mentions_of_gates on mentions (device_id, event_time) where kind = 5;

alter table work drop constraint work_kind_check;
alter table work add constraint work_kind_check check (kind in (
    'refold', 'device', 'shipment', 'device_due', 'shipment_due', 'thing', 'contents', 'goods', 'document', 'gate'
));

-- What gates keep for the time in which nobody answers them.
create index documents_of_passes on documents (number) where kind in ('pass', 'pass_state');
create index documents_of_passes_lately on documents (time) where kind in ('pass', 'pass_state');
create index documents_newest_of_passes on documents (entry) where kind in ('pass', 'pass_state');
create index gate_decisions_using on gate_decisions (pass_number, decision_id) where uses_pass;
create index commands_of_device on commands (device_id, command, created_at);

-- A device is on a thing, in a role, from a moment on, only once: whoever says so again waits for the other, and sees it.
create unique index attachments_standing on attachments (device_id, thing_id, role, valid_from) where superseded_at is null;

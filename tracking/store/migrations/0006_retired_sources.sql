-- Sources that nobody reads any more: the site has changed its broker. Their positions and client ids stay, so that
-- reading goes on where it ended should the site change back; they hold the watermark back no longer.
create table retired_sources (
    source      text primary key,
    retired_at  timestamptz not null
);

-- Through which park's leaf node a message came: what spoke for another park must not be believed when it is replayed.
alter table rejections add column leaf text not null default '';

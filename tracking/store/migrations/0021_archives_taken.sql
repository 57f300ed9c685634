-- As of when an archive was taken: what was recorded since stands in no archive and is not dropped.
alter table archives add column taken_at timestamptz;
update archives set taken_at = '-infinity';
alter table archives alter column taken_at set not null;

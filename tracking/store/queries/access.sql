-- Who may connect: what brokers and the auth callout read.

-- name: logins
-- Every device that may speak, with the hashed secrets that hold.
select p.code || '/' || d.code, d.kind, c.hash
from device_credentials c
join devices d using (device_id)
join parks p using (park_id)
where c.scheme = %(scheme)s and c.revoked_at is null and d.revoked_at is null
order by 1, c.credential_id

-- name: login_of
select d.kind, c.hash
from device_credentials c
join devices d using (device_id)
join parks p using (park_id)
where p.code = %(park)s and d.code = %(code)s and c.scheme = %(scheme)s and c.revoked_at is null and d.revoked_at is null
order by c.credential_id

-- name: revision
-- Whoever registers, revokes or rotates raises it.
select revision from reference_state

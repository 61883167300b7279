-- versions($1 rows): the versions of that many rooms; index rooms_pkey
select room_id, room_version from rooms order by room_id limit $1::bigint

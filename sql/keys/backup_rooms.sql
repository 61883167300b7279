-- keys/backup_rooms($1 user, $2 version): how many sessions of which rooms a version of a user's key backup has; index e2e_room_keys_with_version_idx
select room_id, count(*) as sessions, min(first_message_index)::bigint as first_index
  from e2e_room_keys where user_id = $1::text and version = $2::bigint group by room_id order by room_id

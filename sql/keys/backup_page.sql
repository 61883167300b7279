-- keys/backup_page($1 user, $2 version, $3 room, $4 session id, $5 most): the sessions behind one in a version of a user's key backup; index e2e_room_keys_with_version_idx
select room_id, session_id, session_data
  from e2e_room_keys
 where user_id = $1::text and version = $2::bigint and (room_id, session_id) > ($3::text, $4::text)
 order by room_id, session_id limit $5::bigint

-- keys/backup_sessions($1 user, $2 version, $3 room, $4 session ids[]): sessions in a version of a user's key backup; index e2e_room_keys_with_version_idx
select k.session_id, k.session_data
  from unnest($4::text[]) w (session_id)
  join e2e_room_keys k on k.user_id = $1::text and k.version = $2::bigint and k.room_id = $3::text and k.session_id = w.session_id

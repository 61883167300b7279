-- ban_redactions($1 after room id, $2 after user id, $3 rows): the next bans that redact what their users sent, in the order of
-- rooms and users; index room_ban_redaction_uniqueness
select room_id, user_id, redacting_event_id, redact_end_ordering
  from room_ban_redactions
 where (room_id, user_id) > ($1::text, $2::text)
 order by room_id, user_id
 limit $3::bigint

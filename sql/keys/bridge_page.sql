-- keys/bridge_page($1 account id, $2 session id, $3 most): the sessions behind one in a bridge's store; index crypto_megolm_inbound_session_pkey
select s.account_id, s.session_id::text as session_id, s.sender_key::text as sender_key, s.room_id, s.session::bytea as session,
       s.withheld_code, {forwarded} as forwarded
  from crypto_megolm_inbound_session s
 where s.account_id = $1::text and s.session_id > $2::character(43)
 order by s.session_id limit $3::bigint

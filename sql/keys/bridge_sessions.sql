-- keys/bridge_sessions($1 account ids[], $2 session ids[]): sessions in a bridge's store; index crypto_megolm_inbound_session_pkey
select s.account_id, s.session_id::text as session_id, s.sender_key::text as sender_key, s.room_id, s.session::bytea as session,
       s.withheld_code, {forwarded} as forwarded
  from unnest($1::text[]) a (account_id)
 cross join unnest($2::text[]) w (session_id)
  join crypto_megolm_inbound_session s on s.account_id = a.account_id and s.session_id = w.session_id::character(43)

-- keys/bridge_rooms($1 account): how many sessions of which rooms a bridge's store has, and how many are withheld; index crypto_megolm_inbound_session_pkey
select room_id, count(session) as sessions, count(*) - count(session) as withheld
  from crypto_megolm_inbound_session where account_id = $1::text and room_id <> '' group by room_id order by room_id

-- server_keys($1 server names[]): the public keys with which servers sign; index server_signature_keys_server_name_key_id_key
select k.server_name, k.key_id, k.verify_key, k.ts_valid_until_ms
  from unnest($1::text[]) w (server_name)
  join server_signature_keys k on k.server_name = w.server_name

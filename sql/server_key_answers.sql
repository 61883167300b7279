-- server_key_answers($1 server names[]): servers' answers with public keys that Synapse has not kept apart from them;
-- index server_keys_json_uniqueness, server_signature_keys_server_name_key_id_key
select k.server_name, k.key_id, k.key_json
  from unnest($1::text[]) w (server_name)
 cross join lateral (select j.server_name, j.key_id, j.key_json
                       from server_keys_json j
                      where j.server_name = w.server_name and octet_length(j.key_json) <= 65536
                        and not exists (select 1 from server_signature_keys s
                                         where s.server_name = j.server_name and s.key_id = j.key_id and s.verify_key is not null)
                      order by j.server_name, j.key_id, j.from_server
                      limit 100) k

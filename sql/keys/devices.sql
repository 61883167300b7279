-- keys/devices($1 user ids[]): the devices of users, and the application service that these are of; index e2e_device_keys_json_uniqueness, device_lists_remote_cache_unique_id, users_name_key
select w.user_id, u.appservice_id, d.key_json
  from unnest($1::text[]) w (user_id)
  join e2e_device_keys_json d on d.user_id = w.user_id
  left join users u on u.name = w.user_id
union all
select w.user_id, null, d.content
  from unnest($1::text[]) w (user_id)
  join device_lists_remote_cache d on d.user_id = w.user_id

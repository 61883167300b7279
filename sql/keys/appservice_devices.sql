-- keys/appservice_devices(): the devices of users that are of application services; index users_name_key
select d.user_id, u.appservice_id, d.key_json
  from e2e_device_keys_json d
  join users u on u.name = d.user_id
 where u.appservice_id is not null

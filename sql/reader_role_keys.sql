-- reader_role_keys: what the role of reader_role.sql needs beside it to read key backups (`--decrypt`). Run it only if you mean to:
-- `account_data` holds what all users keep there, not only what encrypts keys, and `e2e_room_keys` all users' key backups, which
-- are encrypted. Run it as a superuser, in Synapse's database on the primary, after reader_role.sql:
--
--     sudo -u postgres psql -d synapse < sql/reader_role_keys.sql
--
-- To take it back: revoke select on e2e_room_keys, e2e_room_keys_versions, account_data, e2e_device_keys_json,
-- device_lists_remote_cache from synapse_export; revoke select (appservice_id) on users from synapse_export;
\set ON_ERROR_STOP on
grant select (user_id, version, room_id, session_id, first_message_index, session_data) on e2e_room_keys to synapse_export;
grant select (user_id, version, algorithm, auth_data) on e2e_room_keys_versions to synapse_export;
grant select (user_id, account_data_type, content) on account_data to synapse_export;
grant select (user_id, key_json) on e2e_device_keys_json to synapse_export;
grant select (user_id, content) on device_lists_remote_cache to synapse_export;
grant select (appservice_id) on users to synapse_export;

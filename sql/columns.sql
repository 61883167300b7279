-- columns(): which tables and columns of Synapse's are there, and whether this role may read them; catalogs only
select c.relname::text as table_name, a.attname::text as column_name, t.typname::text as type_name,
       has_column_privilege(c.oid, a.attnum, 'select') as readable
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
 where c.oid = any (array[to_regclass('events'), to_regclass('event_json'), to_regclass('ex_outlier_stream'),
                          to_regclass('rejections'), to_regclass('redactions'), to_regclass('rooms'),
                          to_regclass('room_aliases'), to_regclass('room_ban_redactions'),
                          to_regclass('un_partial_stated_event_stream'), to_regclass('users'), to_regclass('erased_users'),
                          to_regclass('local_current_membership'), to_regclass('current_state_events'),
                          to_regclass('room_memberships'), to_regclass('schema_version'), to_regclass('background_updates'),
                          to_regclass('room_retention'), to_regclass('scheduled_tasks'), to_regclass('server_signature_keys'),
                          to_regclass('server_keys_json'),
                          to_regclass('e2e_room_keys'), to_regclass('e2e_room_keys_versions'), to_regclass('account_data'),
                          to_regclass('e2e_device_keys_json'), to_regclass('device_lists_remote_cache'),
                          to_regclass('local_media_repository'), to_regclass('remote_media_cache')]::oid[])

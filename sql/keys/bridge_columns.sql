-- keys/bridge_columns(): the columns of a bridge's table of sessions that this role may read; catalogs only
select a.attname::text as column_name
  from pg_attribute a
 where a.attrelid = to_regclass('crypto_megolm_inbound_session') and a.attnum > 0 and not a.attisdropped
   and has_column_privilege(a.attrelid, a.attnum, 'select')

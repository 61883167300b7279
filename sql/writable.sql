-- writable(): which of Synapse's tables this role could write to; catalogs only
select c.relname::text as table_name
  from pg_class e
  join pg_class c on c.relnamespace = e.relnamespace and c.relkind in ('r', 'p')
 where e.oid = to_regclass('events')
   and (has_table_privilege(c.oid, 'insert, update, delete, truncate') or has_any_column_privilege(c.oid, 'insert, update'))
 order by 1

-- sizes(): about how many rows tables have, as of when they were last analysed or vacuumed (none: never), their bytes without
-- indexes, and the part of their rows that are outliers; catalogs only
select c.relname::text as table_name, nullif(greatest(c.reltuples, 0), 0)::bigint as rows, pg_table_size(c.oid) as bytes,
       case when s.attname is not null
            then coalesce((s.most_common_freqs)[array_position(s.most_common_vals::text::text[], 't')], 0)::double precision
        end as outliers
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = 'outlier' and not s.inherited
 where c.oid = any (array[to_regclass('events'), to_regclass('event_json'), to_regclass('redactions')]::oid[])

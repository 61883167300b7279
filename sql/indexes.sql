-- indexes($1 tables[]): the indexes of tables: their columns in order, without those that are only carried along, and whether
-- they can be used; catalogs only
select t.relname::text as table_name, i.relname::text as index_name, x.indisvalid and x.indisready and x.indislive as valid,
       x.indpred is not null as partial, array_agg(a.attname::text order by k.nth) as columns
  from unnest($1::text[]) wanted (name)
  join pg_index x on x.indrelid = to_regclass(wanted.name)
  join pg_class t on t.oid = x.indrelid
  join pg_class i on i.oid = x.indexrelid
 cross join lateral unnest(x.indkey::smallint[]) with ordinality k (attnum, nth)
  join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum
 where k.nth <= x.indnkeyatts
 group by 1, 2, 3, 4
 order by 1, 2

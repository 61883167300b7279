-- subscribed($1 tables text[]): which of these tables logical replication fills, whether their initial copy is still to be done,
-- and how many milliseconds their subscription is behind, none when it does not run; PostgreSQL's catalogs only
select t.name, r.srsubstate <> 'r' as copying,
       case when s.latest_end_time is not null
            then greatest(0, extract(epoch from clock_timestamp() - s.latest_end_time) * 1000)::bigint
        end as behind
  from unnest($1::text[]) t (name)
  join pg_subscription_rel r on r.srrelid = to_regclass(quote_ident(t.name))
  left join (select subid, max(latest_end_time) as latest_end_time
               from pg_stat_subscription where relid is null group by subid) s on s.subid = r.srsubid

-- opening($1 kept): sets what a transaction of ours needs, until it ends, and says who answers. What another client of a pooler
-- has set on this connection counts as not set, but for `kept`, which are our user's own, and what poolers set for each client
select pg_backend_pid() as process,
       pg_is_in_recovery() as standby,
       max(own) filter (where name = 'default_transaction_read_only') = 'on' as read_only,
       coalesce(max(wanted) filter (where name = 'statement_timeout')::bigint, 0) as statement_timeout,
       count(case when wanted is distinct from setting then set_config(name, wanted, true) end) as set
  from (select name, setting, own,
               -- a temporary table of somebody else's comes last
               case when name = 'search_path' and own not like '%pg_temp%' then concat_ws(', ', nullif(own, ''), 'pg_temp')
                    when value is null or is_timeout and own <> '0' then own
                    else value end as wanted
          from (select name, setting,
                       case when source = 'session' and context = 'user' and name <> all (array[
                                     'transaction_isolation', 'transaction_read_only', 'transaction_deferrable',
                                     'application_name', 'client_encoding', 'DateStyle', 'IntervalStyle', 'TimeZone',
                                     'standard_conforming_strings', 'temp_buffers'])
                                 and lower(name) <> all ($1::text[])
                            then reset_val else setting end as own
                  from pg_settings) settings
          left join (values ('default_transaction_read_only', 'on', false),
                            ('statement_timeout', '300000', true),
                            ('lock_timeout', '30000', true),
                            ('idle_in_transaction_session_timeout', '60000', true),
                            ('client_connection_check_interval', case when version() like '%linux%' then '5000' end, true),
                            ('client_encoding', 'UTF8', false),
                            ('standard_conforming_strings', 'on', false),
                            ('jit', 'off', false),
                            ('max_parallel_workers_per_gather', '0', false),
                            ('plan_cache_mode', 'force_custom_plan', false),
                            ('enable_seqscan', 'off', false),
                            ('enable_bitmapscan', 'off', false),
                            ('enable_hashjoin', 'off', false),
                            ('enable_mergejoin', 'off', false)) ours (name, value, is_timeout) using (name)) wanted

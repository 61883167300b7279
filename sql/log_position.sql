-- log_position(): how far the server's write-ahead log goes, as far as it is replayed; functions only, which some hosted
-- servers do not have
select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::bigint
           as position

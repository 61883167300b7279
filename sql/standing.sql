-- standing(): whether this is a replica, and how many milliseconds behind: none when it has replayed all that it received and
-- still receives, else since the last transaction it replayed, if there was one; functions only
select pg_is_in_recovery() as replica,
       case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() and exists (select from pg_stat_wal_receiver) then 0
            when pg_last_xact_replay_timestamp() is not null
            then greatest(0, extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint
        end as behind

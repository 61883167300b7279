-- heads(): the newest id of either stream, when the server received its newest event, which is its clock, and how far its
-- write-ahead log goes, as far as it is replayed;
-- index events_stream_ordering (events_pkey before 1.38's migration), ex_outlier_stream_pkey
select greatest((select max(stream_ordering)::bigint from events), (select max(event_stream_ordering) from ex_outlier_stream))
           as live,
       least((select min(stream_ordering)::bigint from events), (select min(event_stream_ordering) from ex_outlier_stream))
           as backfill,
       (select max(received_ts)
          from ((select received_ts from events order by stream_ordering desc limit 100)
                union all
                (select received_ts from events order by stream_ordering limit 100)) newest) as received_ts,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::bigint
           as wal

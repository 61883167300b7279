-- heads(): the newest id of either stream, and when the server received its newest event, which is its clock, unless that is
-- in the future, as it is where a server's clock was wrong for a while;
-- index events_stream_ordering (events_pkey before 1.38's migration), ex_outlier_stream_pkey
select greatest((select max(stream_ordering)::bigint from events), (select max(event_stream_ordering) from ex_outlier_stream))
           as live,
       least((select min(stream_ordering)::bigint from events), (select min(event_stream_ordering) from ex_outlier_stream))
           as backfill,
       (select coalesce(max(received_ts) filter (where received_ts <= extract(epoch from clock_timestamp()) * 1000),
                        max(received_ts))
          from ((select received_ts from events order by stream_ordering desc limit 100)
                union all
                (select received_ts from events order by stream_ordering limit 100)) newest) as received_ts

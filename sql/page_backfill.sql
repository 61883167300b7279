-- page_backfill($3 after id, $4 through id, $5 rows): the next ids of the backfill stream, downward from zero, with the
-- de-outliered events among them; index events_stream_ordering (events_pkey before 1.38's migration), ex_outlier_stream_pkey
(select e.stream_ordering::bigint as id, false as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
        e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
        {rejection_reason} as rejection_reason
   from events e
  where e.stream_ordering < $3::bigint and e.stream_ordering >= $4::bigint
  order by e.stream_ordering desc
  limit $5::bigint)
union all
(select x.event_stream_ordering, true, x.event_id, e.stream_ordering::bigint,
        e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
        {rejection_reason} as rejection_reason
   from ex_outlier_stream x
   left join events e on e.event_id = x.event_id
  where x.event_stream_ordering < $3::bigint and x.event_stream_ordering >= $4::bigint
  order by x.event_stream_ordering desc
  limit $5::bigint)
order by id desc
limit $5::bigint

-- probe($3 lowest ids[], $4 highest ids[], $5 rows): the next ids, upward, that have appeared in ranges where they were missing,
-- de-outliered events among them;
-- index events_stream_ordering (events_pkey before 1.38's migration), ex_outlier_stream_pkey
(select e.stream_ordering::bigint as id, false as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
        e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
        {rejection_reason} as rejection_reason
   from unnest($3::bigint[], $4::bigint[]) g (low, high)
  cross join lateral (
        select e.stream_ordering, e.event_id, e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key,
               e.origin_server_ts, e.received_ts, e.outlier, {rejection_reason} as rejection_reason
          from events e
         where e.stream_ordering between g.low and g.high
         order by e.stream_ordering
         limit $5::bigint) e
  order by id
  limit $5::bigint)
union all
(select x.event_stream_ordering as id, true, x.event_id, e.stream_ordering::bigint,
        e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
        {rejection_reason} as rejection_reason
   from unnest($3::bigint[], $4::bigint[]) g (low, high)
  cross join lateral (
        select x.event_stream_ordering, x.event_id from ex_outlier_stream x
         where x.event_stream_ordering between g.low and g.high
         order by x.event_stream_ordering
         limit $5::bigint) x
   left join events e on e.event_id = x.event_id
  order by id
  limit $5::bigint)
order by id
limit $5::bigint

-- room_probe($3 lowest ids[], $4 highest ids[], $5 rows, $6 room id): the next ids of one room, upward, that have appeared in
-- ranges where they were missing, its de-outliered events among them; index events_room_stream, ex_outlier_stream_pkey
(select e.stream_ordering::bigint as id, false as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
        e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
        {rejection_reason} as rejection_reason
   from unnest($3::bigint[], $4::bigint[]) g (low, high)
  cross join lateral (
        select e.stream_ordering, e.event_id, e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key,
               e.origin_server_ts, e.received_ts, e.outlier, {rejection_reason} as rejection_reason
          from events e
         where e.room_id = $6::text and e.stream_ordering between g.low and g.high
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
        offset 0) x
   join events e on e.event_id = x.event_id and e.room_id = $6::text
  order by id
  limit $5::bigint)
order by id
limit $5::bigint

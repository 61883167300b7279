-- room_probe($3 lowest ids[], $4 highest ids[], $5 lowest[], $6 highest de-outliered[], $7 room id): what of one room has
-- appeared in ranges of ids that were missing, and its events de-outliered in ranges of ids;
-- index events_room_stream, ex_outlier_stream_pkey
select e.stream_ordering::bigint as id, false as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
       e.topological_ordering, e.type, e.room_id, e.sender, e.state_key, e.origin_server_ts, e.received_ts, e.outlier,
       e.rejection_reason
  from unnest($3::bigint[], $4::bigint[]) g (low, high)
  join events e on e.room_id = $7::text and e.stream_ordering between g.low and g.high
union all
select x.event_stream_ordering, true, x.event_id, e.stream_ordering::bigint,
       e.topological_ordering, e.type, e.room_id, e.sender, e.state_key, e.origin_server_ts, e.received_ts, e.outlier,
       e.rejection_reason
  from unnest($5::bigint[], $6::bigint[]) g (low, high)
  join ex_outlier_stream x on x.event_stream_ordering between g.low and g.high
  join events e on e.event_id = x.event_id and e.room_id = $7::text

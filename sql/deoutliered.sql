-- deoutliered($3 after id, $4 through id, $5 rows, $6 room ids[]): the next ids, upward, of events that have been de-outliered; of
-- none but these rooms, if there are any, what the event is: the ids of others come too, which nothing tells apart before;
-- index ex_outlier_stream_pkey
select x.event_stream_ordering as id, true as deoutliered, x.event_id, e.stream_ordering::bigint as stream_ordering,
       e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
       {rejection_reason} as rejection_reason
  from (select x.event_stream_ordering, x.event_id from ex_outlier_stream x
         where x.event_stream_ordering > $3::bigint and x.event_stream_ordering <= $4::bigint
         order by x.event_stream_ordering
         limit $5::bigint) x
  left join events e on e.event_id = x.event_id and (cardinality($6::text[]) = 0 or e.room_id = any ($6::text[]))
 order by id
 limit $5::bigint

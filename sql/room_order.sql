-- room_order($3 room id, $4 after topological_ordering, $5 after id, $6 rows, $7 since, $8 until, $9 through
-- topological_ordering, $10 through id): the next events of one room in its own order, of a span of origin_server_ts; index
-- events_order_room
select *
  from (select e.stream_ordering::bigint as id, false as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
               e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
               {rejection_reason} as rejection_reason
          from events e
         where e.room_id = $3::text and (e.topological_ordering, e.stream_ordering) > ($4::bigint, $5::bigint)
           and (e.topological_ordering, e.stream_ordering) <= ($9::bigint, $10::bigint)
           and ($7::bigint is null or e.origin_server_ts >= $7::bigint)
           and ($8::bigint is null or e.origin_server_ts < $8::bigint)
         order by e.topological_ordering, e.stream_ordering
         limit $6::bigint) r
  order by topological_ordering, id

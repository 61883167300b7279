-- room_page_backfill($3 after id, $4 through id, $5 rows, $6 room id): the next ids of one room in the backfill stream,
-- downward from zero; index events_room_stream
select *
  from (select e.stream_ordering::bigint as id, false as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
               e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
               {rejection_reason} as rejection_reason
          from events e
         where e.room_id = $6::text and e.stream_ordering < $3::bigint and e.stream_ordering >= $4::bigint
         order by e.stream_ordering desc
         limit $5::bigint) r
  order by id desc

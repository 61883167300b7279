-- unplaced($1 room ids[], $2 excluded room ids[], $3 limit): events without a place in the stream, which no page has, of these rooms
-- or, without any, of all but the excluded; index events_stream_ordering (events_pkey before 1.38's migration)
select e.event_id, e.room_id
  from (select event_id, room_id from events where stream_ordering is null offset 0) e
 where (cardinality($1::text[]) = 0 or e.room_id = any ($1::text[])) and e.room_id <> all ($2::text[])
 limit $3::bigint

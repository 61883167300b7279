-- unplaced($1 room ids[], $2 excluded room ids[], $3 limit): events of these rooms or, without any, of all but the excluded, that
-- have no place in the stream, which no page has, or no id, and those without a room, which may be of any; they have no place in an
-- archive: what they lack, their id, else their place, and their room; index events_stream_ordering (events_pkey before 1.38's migration), events_event_id_key,
-- events_room_stream
select lacks, event_id, room_id
  from ((select 'stream_ordering' as lacks, coalesce(event_id, '') as event_id, coalesce(room_id, '') as room_id
           from (select event_id, room_id from events where stream_ordering is null offset 0) e
          where (cardinality($1::text[]) = 0 or room_id = any ($1::text[])) and (room_id is null or room_id <> all ($2::text[]))
          limit $3::bigint)
        union all
        (select 'event_id', coalesce('at ' || stream_ordering, ''), coalesce(room_id, '')
           from (select stream_ordering, room_id from events where event_id is null offset 0) e
          where (cardinality($1::text[]) = 0 or room_id = any ($1::text[])) and (room_id is null or room_id <> all ($2::text[]))
          limit $3::bigint)
        union all
        (select 'room_id', coalesce(event_id, ''), ''
           from events where room_id is null order by room_id, stream_ordering limit $3::bigint)) e
 limit $3::bigint

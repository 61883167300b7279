-- unplaced($1 limit): events without a place in the stream, which no page has, and rows without an id or a room, which have no
-- place in an archive: what they lack, their id, else their place, and their room; index events_stream_ordering (events_pkey
-- before 1.38's migration), events_event_id_key, events_room_stream
(select 'stream_ordering' as lacks, coalesce(event_id, '') as event_id, coalesce(room_id, '') as room_id
   from events where stream_ordering is null limit $1::bigint)
union all
(select 'event_id', coalesce('at ' || stream_ordering, ''), coalesce(room_id, '')
   from events where event_id is null limit $1::bigint)
union all
(select 'room_id', coalesce(event_id, ''), ''
   from events where room_id is null order by room_id, stream_ordering limit $1::bigint)
limit $1::bigint

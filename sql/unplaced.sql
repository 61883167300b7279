-- unplaced($1 limit): events without a place in the stream, which no page has; index events_stream_ordering (events_pkey before
-- 1.38's migration)
select event_id, room_id from events where stream_ordering is null limit $1::bigint

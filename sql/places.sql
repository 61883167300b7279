-- places($1 ids[]): the events that have these ids, for those that were met with others; index events_stream_ordering
-- (events_pkey before 1.38's migration)
select stream_ordering::bigint as id, event_id from events where stream_ordering = any ($1::bigint[]) and event_id is not null

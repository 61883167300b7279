-- anchor($1 id): the event that has an id now, or the events where it is not unique; index events_stream_ordering (events_pkey before 1.38's migration),
-- ex_outlier_stream_pkey
select event_id from events where stream_ordering = $1::bigint
union all
select event_id from ex_outlier_stream where event_stream_ordering = $1::bigint

-- rooms_since($1 live id, $2 backfill id, $3 room ids[]): those of these rooms that have events above $1 or below $2, or such as were
-- de-outliered there; index events_stream_ordering (events_pkey before 1.38's migration), ex_outlier_stream_pkey, events_event_id_key
select room_id
  from ((select room_id from events where stream_ordering > $1::bigint order by stream_ordering)
        union all
        (select room_id from events where stream_ordering < $2::bigint order by stream_ordering)
        union all
        select e.room_id from ex_outlier_stream x join events e on e.event_id = x.event_id where x.event_stream_ordering > $1::bigint
        union all
        select e.room_id from ex_outlier_stream x join events e on e.event_id = x.event_id where x.event_stream_ordering < $2::bigint) e
 where room_id = any ($3::text[])
 group by room_id

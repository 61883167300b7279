-- newest_below($1 id, $2 live id, $3 backfill id, $4 limit): the newest events at an id of the live stream or below it, without
-- outliers and those that have been de-outliered above $2 or below $3; index events_stream_ordering (events_pkey before 1.38's
-- migration), ex_outlier_stream_pkey
select e.stream_ordering::bigint as id, e.event_id, e.room_id
  from (select stream_ordering, event_id, room_id
          from events
         where stream_ordering between 0 and $1::bigint and not outlier
         order by stream_ordering desc
         limit $4::bigint) e
 where e.event_id <> all (array(select o.event_id from ex_outlier_stream o where o.event_stream_ordering > $2::bigint
                                 union all
                                select o.event_id from ex_outlier_stream o where o.event_stream_ordering < $3::bigint))

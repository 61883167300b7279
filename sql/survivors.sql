-- survivors($1 server name, $2 most): how many of the oldest live events are local messages that only a purge can have made
-- outliers; index events_stream_ordering (events_pkey before 1.38's migration)
select count(*) as survivors
  from (select outlier, type, sender from events where stream_ordering > 0 order by stream_ordering limit $2::bigint) e
 where e.outlier and e.type in ('m.room.message', 'm.room.encrypted')
   and substr(e.sender, strpos(e.sender, ':') + 1) = $1::text

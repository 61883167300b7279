-- un_partial_stated($1 after id, $2 rows): the next events of those that Synapse first judged by a part of their room's state, and
-- rejected, or accepted again, when it had all of it; index un_partial_stated_event_stream_pkey
select stream_id, event_id
  from un_partial_stated_event_stream
 where stream_id > $1::bigint and rejection_status_changed
 order by stream_id
 limit $2::bigint

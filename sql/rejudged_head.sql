-- rejudged_head(): how far `rejudged` goes; index un_partial_stated_event_stream_pkey
select max(stream_id) from un_partial_stated_event_stream

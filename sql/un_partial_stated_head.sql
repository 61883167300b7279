-- un_partial_stated_head(): how far `un_partial_stated` goes; index un_partial_stated_event_stream_pkey
select max(stream_id) as stream_id from un_partial_stated_event_stream

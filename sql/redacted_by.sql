-- redacted_by($3 event ids[]): the redactions of events, in effect or not; index redactions_redacts, events_event_id_key
select e.stream_ordering::bigint as id, null::boolean as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
       e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
       {rejection_reason} as rejection_reason
  from unnest($3::text[]) w (event_id)
  join redactions d on d.redacts = w.event_id
  join events e on e.event_id = d.event_id

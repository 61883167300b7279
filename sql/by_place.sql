-- by_place($3 event ids[], $4 places[]): events whose rows in `event_json` are at these places; index events_event_id_key
select e.stream_ordering::bigint as id, null::boolean as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
       e.topological_ordering, e.type, e.room_id, e.sender, {state_key} as state_key, e.origin_server_ts, e.received_ts, e.outlier,
       {rejection_reason} as rejection_reason, w.place::tid as place
  from unnest($3::text[], $4::text[]) w (event_id, place)
  join events e on e.event_id = w.event_id

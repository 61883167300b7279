-- room_past_state($3 room id, $4 after type, $5 after state key, $6 rows): for a room without a current state, the newest state
-- event of the next types and state keys; it walks through all events of the room; index events_room_stream
select e.stream_ordering::bigint as id, null::boolean as deoutliered, e.event_id, e.stream_ordering::bigint as stream_ordering,
       e.topological_ordering, s.type, e.room_id, e.sender, s.state_key, e.origin_server_ts, e.received_ts, e.outlier,
       {rejection_reason} as rejection_reason
  from (select distinct on (h.type, h.state_key) h.event_id, h.type, h.state_key
          from events h
         where h.room_id = $3::text and h.state_key is not null and (h.type, h.state_key) > ($4::text, $5::text)
           and (select x.event_id from rejections x where x.event_id = h.event_id limit 1) is null
         order by h.type, h.state_key, h.stream_ordering desc
         limit $6::bigint) s
  left join events e on e.event_id = s.event_id

-- room_state($3 room id, $4 after type, $5 after state key, $6 rows): the next events of a room's current state, outliers among
-- them; index current_state_events_room_id_type_state_key_key, events_event_id_key
select e.stream_ordering::bigint as id, null::boolean as deoutliered, s.event_id, e.stream_ordering::bigint as stream_ordering,
       e.topological_ordering, s.type, e.room_id, e.sender, s.state_key, e.origin_server_ts, e.received_ts, e.outlier,
       {rejection_reason} as rejection_reason
  from (select c.event_id, c.type, c.state_key
          from current_state_events c
         where c.room_id = $3::text and (c.type, c.state_key) > ($4::text, $5::text)
         order by c.type, c.state_key
         limit $6::bigint) s
  left join events e on e.event_id = s.event_id

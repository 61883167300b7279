-- rooms_state($1 room ids[], $2 types[]): what the current state of rooms says of them;
-- index current_state_events_room_id_type_state_key_key, event_json_event_id_key
select w.room_id, t.type as kind, s.event_id, j.internal_metadata, j.json
  from unnest($1::text[]) w (room_id)
 cross join unnest($2::text[]) t (type)
 cross join lateral (select c.event_id
                       from current_state_events c
                      where c.room_id = w.room_id and c.type = t.type and c.state_key = ''
                      limit 1) s
  join event_json j on j.event_id = s.event_id

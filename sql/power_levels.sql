-- power_levels($1 room ids text[]): the ids of the power levels in the current state of rooms;
-- index current_state_events_room_id_type_state_key_key
select s.event_id
  from unnest($1::text[]) w (room_id)
 cross join lateral (select c.event_id
                       from current_state_events c
                      where c.room_id = w.room_id and c.type = 'm.room.power_levels' and c.state_key = ''
                      limit 1) s

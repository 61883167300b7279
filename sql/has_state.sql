-- has_state($1 room id): whether a room has a current state, which Synapse keeps while a local user is in it;
-- index current_state_events_room_id_type_state_key_key
select exists (select from current_state_events where room_id = $1::text) as has_state

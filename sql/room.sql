-- room($1 room id): whether the server has such a room; index rooms_pkey, events_room_stream
select exists (select from rooms where room_id = $1::text) or exists (select from events where room_id = $1::text) as known

-- rooms_invites($1 room ids[]): a few invitations to rooms, which say whether one was meant as a direct chat;
-- index room_memberships_room_id, event_json_event_id_key
select w.room_id, i.json
  from unnest($1::text[]) w (room_id)
 cross join lateral (select j.json
                       from room_memberships m
                       join event_json j on j.event_id = m.event_id
                      where m.room_id = w.room_id and m.membership = 'invite'
                      limit 20) i

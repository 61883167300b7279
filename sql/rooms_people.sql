-- rooms_people($1 room ids[], $2 rows): some members of rooms, those in it or invited first, and how many these are in all;
-- index current_state_events_room_id_type_state_key_key, room_memberships_event_id_key
select w.room_id, p.user_id, p.display_name, p.present, p.all_present, p.joined, p.people
  from unnest($1::text[]) w (room_id)
 cross join lateral (select c.state_key as user_id, m.display_name, c.membership in ('join', 'invite') as present,
                            count(*) filter (where c.membership in ('join', 'invite')) over () as all_present,
                            count(*) filter (where c.membership = 'join') over () as joined,
                            count(*) over () as people
                       from current_state_events c
                       left join room_memberships m on m.event_id = c.event_id
                      where c.room_id = w.room_id and c.type between 'm.room.member' and 'm.room.member'
                      order by present desc, c.state_key
                      limit $2::bigint) p

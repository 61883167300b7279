-- rooms_people($1 room ids[], $2 rows): some members of rooms, those in it or invited first, and how many these are in all;
-- index current_state_events_room_id_type_state_key_key, room_memberships_event_id_key
select w.room_id, p.user_id, (select max(m.display_name) from room_memberships m where m.event_id = p.event_id) as display_name,
       p.present, p.all_present, p.joined, p.people
  from unnest($1::text[]) w (room_id)
 cross join lateral (select s.state_key as user_id, s.event_id, s.membership in ('join', 'invite') as present,
                            count(*) filter (where s.membership in ('join', 'invite')) over () as all_present,
                            count(*) filter (where s.membership = 'join') over () as joined,
                            count(*) over () as people
                       from (select distinct on (c.type, c.state_key) c.state_key, c.event_id, c.membership
                               from current_state_events c
                              where c.room_id = w.room_id and c.type between 'm.room.member' and 'm.room.member'
                              order by c.type, c.state_key) s
                      order by present desc, s.state_key
                      limit $2::bigint) p

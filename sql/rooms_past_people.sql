-- rooms_past_people($1 room ids[], $2 rows): rooms_people of rooms without a current state, by the newest that is known of each
-- member; index room_memberships_room_id, events_event_id_key
select w.room_id, p.user_id, p.display_name, p.present, p.all_present, p.joined, p.people
  from unnest($1::text[]) w (room_id)
 cross join lateral (select n.user_id, n.display_name, n.membership in ('join', 'invite') as present,
                            count(*) filter (where n.membership in ('join', 'invite')) over () as all_present,
                            count(*) filter (where n.membership = 'join') over () as joined,
                            count(*) over () as people
                       from (select distinct on (m.user_id) m.user_id, m.display_name, m.membership
                               from room_memberships m
                               join events e on e.event_id = m.event_id
                              where m.room_id = w.room_id
                                and (select x.event_id from rejections x where x.event_id = m.event_id limit 1) is null
                              order by m.user_id, e.stream_ordering desc) n
                      order by present desc, n.user_id
                      limit $2::bigint) p

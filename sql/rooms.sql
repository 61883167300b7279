-- rooms($1 after room id, $2 rows): the next rooms that the server knows or has an event of: whose they are, and from when
-- to when something happened. That a room's ends are found among all events, that what is asked of it are scalars, and that
-- the type of members is a range leaves no plan that reads more than its own; index rooms_pkey, events_room_stream,
-- local_current_membership_room_idx, room_aliases_id, room_memberships_event_id_key
select p.room_id, (select max(r.room_version) from rooms r where r.room_id = p.room_id) as room_version, s.current, a.aliases,
       first.origin_server_ts as first_activity, last.origin_server_ts as last_activity, last.received_ts as last_received, s.people, m.abandoned,
       m.abandoned and coalesce((select bool_and((select max(k.forgotten) from room_memberships k where k.event_id = l.event_id) = 1)
                                   from local_current_membership l
                                  where l.room_id = p.room_id), false) as forgotten
  from ((select room_id from rooms where room_id > $1::text order by room_id limit $2::bigint)
        union
        (with recursive own (room_id) as (
              (select e.room_id from events e where e.room_id > $1::text order by e.room_id limit 1)
              union all
              select (select e.room_id from events e where e.room_id > own.room_id order by e.room_id limit 1)
                from own
               where own.room_id is not null)
         select room_id from own where room_id is not null limit $2::bigint)
        order by room_id
        limit $2::bigint) p
 cross join lateral (select coalesce((array_agg(distinct x.room_alias order by x.room_alias))[1:20], '{}') as aliases
                       from room_aliases x
                      where x.room_id = p.room_id) a
  left join lateral (select e.room_id, e.origin_server_ts
                       from events e
                      where (e.room_id, e.stream_ordering) >= (p.room_id, -9223372036854775808) and e.outlier is not true
                      order by e.room_id, e.stream_ordering
                      limit 1) first on first.room_id = p.room_id
  left join lateral (select e.room_id, e.origin_server_ts, e.received_ts
                       from events e
                      where (e.room_id, e.stream_ordering) <= (p.room_id, 9223372036854775807) and e.outlier is not true
                      order by e.room_id desc, e.stream_ordering desc
                      limit 1) last on last.room_id = p.room_id
 cross join lateral (select coalesce((select true from current_state_events c where c.room_id = p.room_id limit 1), false)
                                as current,
                            (select count(*)
                               from (select distinct on (c.type, c.state_key) c.state_key
                                       from current_state_events c
                                      where c.room_id = p.room_id and c.type between 'm.room.member' and 'm.room.member'
                                      order by c.type, c.state_key
                                      limit 3) found) as people) s
 cross join lateral (select coalesce((select false
                                        from local_current_membership l
                                       where l.room_id = p.room_id and l.membership = 'join'
                                       limit 1), true) as abandoned) m
 order by p.room_id

-- rooms_counts($1 room ids[]): how many events and joined members rooms have;
-- index events_jump_to_date_idx (events_room_stream before 1.76), current_state_events_room_id_type_state_key_key
select w.room_id,
       (select count(*) from events e where e.room_id = w.room_id and not e.outlier) as events,
       (select count(*)
          from (select distinct on (c.type, c.state_key) c.state_key
                  from current_state_events c
                 where c.room_id = w.room_id and c.type between 'm.room.member' and 'm.room.member' and c.membership = 'join'
                 order by c.type, c.state_key) m) as members
  from unnest($1::text[]) w (room_id)

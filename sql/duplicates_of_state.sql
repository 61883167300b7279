-- duplicates_of_state($1 rows): the same of what tells of rooms and their members;
-- index current_state_events_room_id_type_state_key_key, room_memberships_event_id_key
select 'current_state_events (room_id, type, state_key)' as key, count(*) as keys
  from (select
          from (select room_id, type, state_key from current_state_events order by room_id, type, state_key limit $1::bigint) r
         group by room_id, type, state_key
        having count(*) > 1) d
union all
select 'room_memberships (event_id)', count(*)
  from (select
          from (select event_id from room_memberships order by event_id limit $1::bigint) r
         group by event_id
        having count(*) > 1) d

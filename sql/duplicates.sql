-- duplicates($1 rows): which tables have a key twice that should be unique, and how many such keys: among the newest events, and
-- among the first rows of what is looked up; index events_stream_ordering (events_pkey before 1.38's migration),
-- event_json_event_id_key, rooms_pkey, rejections_event_id_key, redactions_event_id_key
with newest as materialized (
       select stream_ordering, event_id from events where stream_ordering > 0 order by stream_ordering desc limit $1::bigint)
select 'events (event_id)' as key, count(*) as keys
  from (select from newest group by event_id having count(event_id) > 1) d
union all
select 'events (stream_ordering)', count(*)
  from (select from newest group by stream_ordering having count(*) > 1) d
union all
select 'event_json (event_id)', count(*)
  from (select
          from (select distinct event_id from newest) n
         cross join lateral (select j.event_id from event_json j where j.event_id = n.event_id offset 0) j
         group by j.event_id
        having count(*) > 1) d
union all
select 'rooms (room_id)', count(*)
  from (select from (select room_id from rooms order by room_id limit $1::bigint) r group by room_id having count(*) > 1) d
union all
select 'rejections (event_id)', count(*)
  from (select from (select event_id from rejections order by event_id limit $1::bigint) r group by event_id having count(*) > 1) d
union all
select 'redactions (event_id)', count(*)
  from (select from (select event_id from redactions order by event_id limit $1::bigint) r group by event_id having count(*) > 1) d

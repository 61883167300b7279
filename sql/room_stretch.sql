-- room_stretch($1 room id, $2 after topological_ordering, $3 after id, $4 events): where so many events of a room end, in its
-- own order; index events_order_room
select e.topological_ordering, e.stream_ordering::bigint as id
  from events e
 where e.room_id = $1::text and (e.topological_ordering, e.stream_ordering) > ($2::bigint, $3::bigint)
 order by e.topological_ordering, e.stream_ordering
offset $4::bigint - 1
 limit 1

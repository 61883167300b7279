-- rooms_past_state($1 room ids[], $2 types[]): the newest that rooms without a current state said of themselves, for each type
-- the newest first; it walks through all events of such a room; index events_room_stream, event_json_event_id_key
select w.room_id, s.type as kind, s.event_id, j.internal_metadata, j.json
  from unnest($1::text[]) w (room_id)
 cross join lateral (select h.event_id, h.type, row_number() over (partition by h.type order by h.stream_ordering desc) as n
                       from events h
                      where h.room_id = w.room_id and h.type = any ($2::text[]) and coalesce(h.state_key, '') = ''
                        and (select x.event_id from rejections x where x.event_id = h.event_id limit 1) is null) s
  join event_json j on j.event_id = s.event_id
 where s.n <= 5
 order by w.room_id, s.type, s.n

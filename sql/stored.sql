-- stored($1 server name text, $2 excluded room ids text[]): what the database holds of each event of `page`, which is one
-- of the other statements; outliers that are neither purge survivors nor the names of rooms and members, and rooms left out,
-- cost no probe. A page of events that were asked for by name, not by place, has null for deoutliered: its outliers are wanted.
-- What should be unique may not be, and a column be null that must not: what is looked up is one value all the same, and two
-- rows of event_json make two rows here, which `offset 0` keeps from a planner that trusts in one;
-- index event_json_event_id_key, rejections_event_id_key, rooms_pkey, redactions_event_id_key
select p.id, p.deoutliered, p.event_id, p.stream_ordering, p.topological_ordering, p.type as kind, p.room_id, p.sender, p.state_key,
       p.origin_server_ts, p.received_ts, p.outlier,
       p.rejection_reason is not null
       or w.wanted and {rejection} is not null as rejected,
       w.wanted, j.internal_metadata, j.json,
       case when w.wanted then {room_version} end as room_version,
       case when w.wanted and p.type = 'm.room.redaction'
            then (select min(d.redacts) from redactions d where d.event_id = p.event_id) end as redacts,
       case when w.wanted and p.type = 'm.room.redaction'
            then (select bool_and({recheck}) from redactions d where d.event_id = p.event_id) end as recheck, w.timeline
  from (
{page}) p
 cross join lateral (
       select p.outlier is not true or p.deoutliered is null
              or p.state_key is null
             and (p.sender is null or substr(p.sender, strpos(p.sender, ':') + 1) = $1::text)) t (timeline)
 cross join lateral (
       select p.room_id <> all ($2::text[])
          and (t.timeline or p.type in ('m.room.member', 'm.room.name', 'm.room.canonical_alias', 'm.room.topic',
                                        'm.room.create', 'm.room.encryption',
                                        'm.room.power_levels')), t.timeline) w (wanted, timeline)
  left join lateral (
       select j.internal_metadata, j.json
         from event_json j
        where {json}
       offset 0) j on true{order}

-- rejections($1 rows): that many of the rejections there are, and whether `events` does not tell of them, as it does of what
-- Synapse has rejected since 1.52; index rejections_event_id_key, events_event_id_key
select r.event_id, {rejection_reason} is null as untold
  from (select event_id from rejections order by event_id limit $1::bigint) r
  left join events e on e.event_id = r.event_id

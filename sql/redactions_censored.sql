-- redactions_censored($1 most): of the first redactions by id: how many, how many whose target Synapse has looked at and pruned
-- if it had to, and when the last of these was received; index redactions_event_id_key
select count(*) as seen, count(*) filter (where r.have_censored) as censored,
       max(r.received_ts) filter (where r.have_censored) as last
  from (select have_censored, received_ts from redactions order by event_id limit $1::bigint) r

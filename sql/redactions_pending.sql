-- redactions_pending($1 since received_ts, $2 most): the redactions received since then whose target Synapse has not looked at
-- in order to prune it: how many, counted up to a limit, and when the first was received; index redactions_have_censored_ts
select count(*) as pending, min(r.received_ts) as first
  from (select received_ts
          from redactions
         where not have_censored and received_ts >= $1::bigint
         order by received_ts
         limit $2::bigint) r

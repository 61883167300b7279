-- retention($1 most): how many events with a retention policy that ends there are, counted up to a limit, and the shortest;
-- index room_retention_max_lifetime_idx
select count(*) as policies, min(r.max_lifetime) as shortest
  from (select max_lifetime
          from room_retention
         where max_lifetime is not null
         order by max_lifetime
         limit $1::bigint) r

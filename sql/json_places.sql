-- json_places($1 first page, $2 pages, $3 event ids[]): where in some pages of `event_json` rows of these events are, whatever its
-- indexes say; no page has more rows than these; by the places of rows only
select j.event_id, j.ctid::text as place
  from event_json j
 where j.ctid = any (array(select format('(%s,%s)', p.page, r.nth)::tid
                             from generate_series($1::bigint, $1::bigint + $2::bigint - 1) p (page)
                            cross join generate_series(1, current_setting('block_size')::integer / 28) r (nth)))
   and (j.event_id in (select unnest($3::text[]))) is true

-- json_pages(): how many pages `event_json` has; functions only
select coalesce(pg_relation_size(to_regclass('event_json')) / current_setting('block_size')::bigint, 0) as pages

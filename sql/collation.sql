-- collation(): by what the database orders text, which version of that its indexes were built with, as far as PostgreSQL has
-- written it down (15 and newer), and that there is such a version; catalogs only
select coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate::text) as name,
       to_jsonb(d) ? 'datcollversion' as told, to_jsonb(d) ->> 'datcollversion' as version
  from pg_database d
 where d.datname = current_database()

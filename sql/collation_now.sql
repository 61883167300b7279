-- collation_now(): the version that the system has now of what orders the database's text, in PostgreSQL 15 and newer; catalogs
-- and functions only
select pg_database_collation_actual_version(d.oid) as version from pg_database d where d.datname = current_database()

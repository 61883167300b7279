-- output_role: the role that an output in another PostgreSQL needs, and its schema. Never in Synapse's database. Run it once, as a
-- superuser, in a database made for it:
--
--     sudo -u postgres createdb --encoding UTF8 --template template0 archive
--     sudo -u postgres psql -d archive < sql/output_role.sql
--     sudo -u postgres psql -d archive -c '\password synapse_archive'
--
-- The schema is the role's: it makes, fills and vacuums its tables, and may do nothing else there. Who is to read them is granted that by
-- it or by a superuser:
--
--     grant usage on schema synapse_archive to analyst;
--     grant select on all tables in schema synapse_archive to analyst;
--     alter default privileges for role synapse_archive in schema synapse_archive grant select on tables to analyst;
--
-- It stops at the first error, and changes nothing in a database that is Synapse's.
\set ON_ERROR_STOP on
do $$
begin
    if exists (select from pg_class events join pg_class json on json.relnamespace = events.relnamespace and json.relname = 'event_json'
                where events.relname = 'events' and events.relkind in ('r', 'p')) then
        raise exception 'database "%" is Synapse''s: no role was made', current_database()
              using hint = 'Make a database of its own for the output: createdb --encoding UTF8 --template template0 archive';
    end if;
end $$;
select 'create role synapse_archive' where not exists (select from pg_roles where rolname = 'synapse_archive') \gexec
alter role synapse_archive login connection limit 5;
select format('grant connect, temporary on database %I to synapse_archive', current_database()) \gexec
create schema if not exists synapse_archive authorization synapse_archive;

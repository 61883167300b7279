-- reader_role: the least role that synapse-export needs. Run it once, and again after each upgrade of Synapse or of
-- synapse-export, as a superuser, in Synapse's database on the primary:
--
--     sudo -u postgres psql -d synapse < sql/reader_role.sql
--     sudo -u postgres psql -d synapse -c '\password synapse_export'
--
-- It may read the columns below and nothing else: no password hashes, no access tokens, no media, and of keys
-- only the public ones with which servers sign.
-- It stops at the first error, and changes nothing in a database that is not Synapse's.
\set ON_ERROR_STOP on
do $$
begin
    if exists (select from unnest(array['public.events', 'public.event_json', 'public.schema_version']) named
                where to_regclass(named) is null) then
        raise exception 'database "%" is not Synapse''s: no role was made', current_database()
              using hint = 'Name Synapse''s database, which stands in homeserver.yaml: psql -d NAME < sql/reader_role.sql';
    end if;
end $$;
select 'create role synapse_export' where not exists (select from pg_roles where rolname = 'synapse_export') \gexec
alter role synapse_export login connection limit 20;
alter role synapse_export set default_transaction_read_only = on;
select format('grant connect on database %I to synapse_export', current_database()) \gexec
grant usage on schema public to synapse_export;
grant select on events, event_json, ex_outlier_stream, rejections, redactions, rooms, room_aliases to synapse_export;
select 'grant select on room_ban_redactions to synapse_export' where to_regclass('room_ban_redactions') is not null \gexec
select 'grant select on un_partial_stated_event_stream to synapse_export' where to_regclass('un_partial_stated_event_stream') is not null \gexec
grant select (name) on users to synapse_export;
select 'grant select (user_id) on erased_users to synapse_export' where to_regclass('erased_users') is not null \gexec
grant select (server_name, key_id, verify_key, ts_valid_until_ms) on server_signature_keys to synapse_export;
grant select (server_name, key_id, from_server, key_json) on server_keys_json to synapse_export;
grant select (room_id, user_id, event_id, membership) on local_current_membership to synapse_export;
grant select (event_id, room_id, type, state_key, membership) on current_state_events to synapse_export;
grant select (event_id, room_id, user_id, membership, display_name, forgotten) on room_memberships to synapse_export;
-- for `synapse-export doctor`
grant select (version) on schema_version to synapse_export;
grant select (update_name) on background_updates to synapse_export;
grant select (max_lifetime) on room_retention to synapse_export;
select 'grant select (id, action, "timestamp") on scheduled_tasks to synapse_export' where to_regclass('scheduled_tasks') is not null \gexec

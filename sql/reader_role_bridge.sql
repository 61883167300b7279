-- reader_role_bridge: the role that reads the sessions in a mautrix bridge's own database (`--bridge-database`). Run it as a superuser
-- in that database, on its server:
--
--     sudo -u postgres psql -d mautrix_signal < sql/reader_role_bridge.sql
--     sudo -u postgres psql -d mautrix_signal -c '\password synapse_export_keys'
--
-- It may read one table and nothing else. The sessions in it are encrypted, in most bridges with a key that is in their configuration.
\set ON_ERROR_STOP on
select 'create role synapse_export_keys' where not exists (select from pg_roles where rolname = 'synapse_export_keys') \gexec
alter role synapse_export_keys login connection limit 10;
alter role synapse_export_keys set default_transaction_read_only = on;
select format('grant connect on database %I to synapse_export_keys', current_database()) \gexec
select format('grant usage on schema %s to synapse_export_keys', relnamespace::regnamespace) from pg_class where oid = 'crypto_megolm_inbound_session'::regclass \gexec
grant select on crypto_megolm_inbound_session to synapse_export_keys;

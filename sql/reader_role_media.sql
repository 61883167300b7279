-- reader_role_media: what the role of reader_role.sql needs beside it to copy files (`--media-store`). Run it only if you mean to: of each
-- file it shows id, type, length, hash and whether it is quarantined; not who uploaded it. Run it as a superuser, in Synapse's database on the
-- primary, after reader_role.sql, and again after each upgrade of Synapse:
--
--     sudo -u postgres psql -d synapse < sql/reader_role_media.sql
--
-- To take it back: revoke select on local_media_repository, remote_media_cache from synapse_export;
\set ON_ERROR_STOP on
grant select (media_id, media_type, media_length, quarantined_by, url_cache) on local_media_repository to synapse_export;
grant select (media_origin, media_id, media_type, media_length, filesystem_id, quarantined_by) on remote_media_cache to synapse_export;
-- which older versions of Synapse have not
select format('grant select (sha256) on %I to synapse_export', table_name) from information_schema.columns
 where table_schema = 'public' and column_name = 'sha256' and table_name in ('local_media_repository', 'remote_media_cache') \gexec

-- schema_version(): the version of Synapse's tables; a table of one row
select version from schema_version

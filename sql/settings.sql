-- settings($1 names[]): settings of PostgreSQL's, in its own units; functions only
select name, setting from pg_settings where name = any ($1::text[])

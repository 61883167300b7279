-- What brings a catalog of version 7 to version 8, in one transaction: what `catalog.sql` has since then, and nothing that has to
-- look at every event.

-- The archive that this is the catalog of, by its .archive.json, when the catalog is kept elsewhere; at most one row.
create table archive (
    id text primary key
) strict, without rowid;

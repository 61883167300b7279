-- What brings a catalog of version 7 to version 8, in one transaction: what `catalog.sql` has since then, and nothing that has to
-- look at every event.
alter table run add column unplaced integer not null default 0;

create table sticky (
    event_id text primary key,
    until integer not null                  -- when it expires
) strict, without rowid;

create table waiting (
    event_id text primary key,
    room_id text not null,
    since text not null                     -- when that run began
) strict, without rowid;

alter table run add column waiting integer not null default 0;
alter table run add column mended integer not null default 0;
alter table run add column gone integer not null default 0;

-- Files of lines that are being written anew. Empty but in the middle of that.
create table rewrite (
    path text primary key,
    new text not null,                      -- the name of the file that is to take its place, beside it
    bytes integer                           -- its length, which `file` says by now; null: it is not written yet
) strict, without rowid;

-- Events of which the server had more than one row, under an index that let it, when they were read; the line is of one.
create table duplicate (
    event_id text primary key,
    run integer not null                    -- the last that read them
) strict, without rowid;
alter table run add column duplicates integer not null default 0;

-- Events whose PDUs are being looked for where no index shows them, and the page of event_json that is next. Empty but in the middle
-- of that.
create table sought (
    event_id text primary key
) strict, without rowid;
create table searched (
    page integer not null
) strict;

-- The archive that this is the catalog of, by its .archive.json, when the catalog is kept elsewhere; at most one row.
create table archive (
    id text primary key
) strict, without rowid;

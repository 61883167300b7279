-- The files that events name, with --with-media; beside `room.sql`.

-- A file, once for all that name it.
create table media (
    path text primary key,                  -- as in an archive: its SHA-256 (decrypted: its own name), and what it is by its bytes
    bytes integer,                          -- null: the archive has lost it
    content blob                            -- null as well where it is longer than SQLite holds
) strict;

-- Which event names which, under which address.
create table event_media (
    event_id text not null,
    mxc text not null,
    path text not null,
    primary key (event_id, mxc, path)
) strict, without rowid;

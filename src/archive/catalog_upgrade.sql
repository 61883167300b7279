-- What brings a catalog of version 7 to version 8, in one transaction: what `catalog.sql` has since then, and nothing that has to
-- look at every event.

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

-- What brings a catalog of version 8 to version 9, in one transaction.
create table beyond_line (
    event_id text primary key
) strict, without rowid;

-- Once, of all events: what no line says of them. That one was accepted again, only its line can tell.
insert into beyond_line
select event_id from event
 where damaged or recheck or rejected or soft_failed or recheck is null and type = 'm.room.redaction' group by event_id;

create table state (
    archive text not null,                  -- the archive's own id
    snapshot text not null,                 -- that of the file, which has another one each time it is written anew
    bytes integer not null,
    synced integer not null,                -- how many of them are on the disk
    begun integer not null,                 -- how many it had when it was written anew
    is_whole integer not null               -- it has all that it can have; 0: only what is promised, while a first export reads
) strict;

-- What the list of rooms needs beside the catalog's tables where it takes several pages: made when there are so many rooms first, and dropped
-- when there are no more.

-- Rooms that follow each other in the list, from one whose id says so to the next such.
create table room_section (
    section integer primary key,
    by_name text not null collate nocase,   -- its first room, as in `room`: what it is called in by-name/, and its id; both '' of the first one
    room_id text not null,
    rooms integer not null,
    parts integer not null,                 -- its files, of each form
    stale integer not null,
    unique (by_name, room_id)
) strict;

create index room_section_stale on room_section (by_name, room_id) where stale;

-- The order of the list.
create index room_in_order on room (by_name collate nocase, room_id) where has_lines;

-- A room stands in its section, and stood in that of its name before.
create trigger room_section_room
after update of name, aliases, type, encrypted, messages, alike, by_name, has_lines on room
begin
    update room_section set stale = 1 where section in (
        (select section from room_section where (by_name, room_id) <= (old.by_name, old.room_id)
          order by by_name desc, room_id desc limit 1),
        (select section from room_section where (by_name, room_id) <= (new.by_name, new.room_id)
          order by by_name desc, room_id desc limit 1));
end;

create trigger room_section_room_gone after delete on room
begin
    update room_section set stale = 1 where section = (
        select section from room_section where (by_name, room_id) <= (old.by_name, old.room_id)
         order by by_name desc, room_id desc limit 1);
end;

-- The only other room that looks alike is told apart from then on, or no more.
create trigger room_section_namesake
after update of alike, has_lines on room
when old.alike is not new.alike or old.has_lines <> new.has_lines
begin
    update room_section set stale = 1 where section in (
        select (select section from room_section s where (s.by_name, s.room_id) <= (other.by_name, other.room_id)
                 order by s.by_name desc, s.room_id desc limit 1)
          from (select min(by_name) as by_name, min(room_id) as room_id, count(*) as others
                  from (select by_name, room_id from room
                         where alike = old.alike and has_lines and room <> old.room limit 2)
                 union all
                select min(by_name), min(room_id), count(*)
                  from (select by_name, room_id from room
                         where alike = new.alike and has_lines and room <> new.room limit 2)) other
         where other.others = 1);
end;

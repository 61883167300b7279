-- What outputs need beside the catalog's tables: made when the first one is fed, and dropped with the last one. What an output is, is in
-- `setting`.

-- Lines up to this one are told to the outputs; one row.
create table output_told (
    line integer not null
) strict;

-- Of these lines something has changed since.
create table output_changed (
    line integer primary key
) strict;

-- These parts have too, as far as no line tells.
create table output_changed_part (
    part text primary key
) strict, without rowid;

-- The parts of an output that are not as the archive is: a day of `file`, or 'rooms' or 'members'.
create table output_stale (
    output text not null,
    part text not null,
    primary key (output, part)
) strict, without rowid;

-- The files that an output has, below its directory.
create table output_file (
    output text not null,
    path text not null,
    part text not null,                     -- as in `output_stale`
    rows integer not null,
    bytes integer not null,
    sha256 text not null,
    primary key (output, path)
) strict, without rowid;

create index output_day on file (day);

create trigger output_line
after update of event_id, file, length, stream_ordering, topological_ordering, type, state_key, sender, origin_server_ts, received_ts,
                redacted_by, censored, soft_failed, rejected, outlier, damaged, erased on line
when new.line <= (select line from output_told)
begin
    insert or ignore into output_changed (line) values (new.line);
    insert or ignore into output_changed_part (part) select day from file where file = old.file and old.file <> new.file;
end;

-- The number of a line that is gone may be given again.
create trigger output_line_again after insert on line
when new.line <= (select line from output_told)
begin
    insert or ignore into output_changed (line) values (new.line);
end;

create trigger output_line_gone after delete on line
when old.line <= (select line from output_told)
begin
    insert or ignore into output_changed_part (part) select day from file where file = old.file;
    insert or ignore into output_changed (line)
    select line from relation where relates_to_key = old.id_key and relates_to = old.event_id
       and rel_type = (select type from type where name = 'm.replace');
end;

create trigger output_said after insert on said
when new.line <= (select line from output_told)
begin
    insert or ignore into output_changed (line) values (new.line);
end;

create trigger output_said_anew after update on said
when new.line <= (select line from output_told)
begin
    insert or ignore into output_changed (line) values (new.line);
end;

create trigger output_relation after insert on relation
when new.line <= (select line from output_told)
begin
    insert or ignore into output_changed (line) values (new.line);
end;

create trigger output_relation_gone after delete on relation
when old.line <= (select line from output_told)
begin
    insert or ignore into output_changed (line) values (old.line);
    insert or ignore into output_changed (line)
    select line from line where id_key = old.relates_to_key and event_id = old.relates_to;
end;

-- What a ban says of edits of what is not archived.
create trigger output_ban after insert on ban_redaction
begin
    insert or ignore into output_changed (line)
    select line.line from file join line on line.file = file.file join relation on relation.line = line.line
     where file.room = (select room from room where room_id = new.room_id)
       and line.sender = (select user from user where user_id = new.user_id)
       and rel_type = (select type from type where name = 'm.replace');
end;

create trigger output_ban_anew after update on ban_redaction
begin
    insert or ignore into output_changed (line)
    select line.line from file join line on line.file = file.file join relation on relation.line = line.line
     where file.room = (select room from room where room_id = new.room_id)
       and line.sender = (select user from user where user_id = new.user_id)
       and rel_type = (select type from type where name = 'm.replace');
end;

create trigger output_ban_gone after delete on ban_redaction
begin
    insert or ignore into output_changed (line)
    select line.line from file join line on line.file = file.file join relation on relation.line = line.line
     where file.room = (select room from room where room_id = old.room_id)
       and line.sender = (select user from user where user_id = old.user_id)
       and rel_type = (select type from type where name = 'm.replace');
end;

create trigger output_erased after insert on erased
begin
    insert or ignore into output_changed_part (part) values ('members'), ('rooms');
    insert or ignore into output_changed (line)
    select line from line where sender = (select user from user where user_id = new.user_id);
end;

create trigger output_erased_no_more after delete on erased
begin
    insert or ignore into output_changed_part (part) values ('members'), ('rooms');
    insert or ignore into output_changed (line)
    select line from line where sender = (select user from user where user_id = old.user_id);
end;

-- A room without a name is called by its members.
create trigger output_member after insert on membership
begin
    insert or ignore into output_changed_part (part) values ('members'), ('rooms');
end;

create trigger output_member_anew after update on membership
begin
    insert or ignore into output_changed_part (part) values ('members'), ('rooms');
end;

create trigger output_member_gone after delete on membership
begin
    insert or ignore into output_changed_part (part) values ('members'), ('rooms');
end;

create trigger output_room_state after insert on room_state
begin
    insert or ignore into output_changed_part (part) values ('rooms');
end;

create trigger output_room_state_anew after update on room_state
begin
    insert or ignore into output_changed_part (part) values ('rooms');
end;

create trigger output_room_state_gone after delete on room_state
begin
    insert or ignore into output_changed_part (part) values ('rooms');
end;

create trigger output_room after insert on room
begin
    insert or ignore into output_changed_part (part) values ('rooms');
end;

create trigger output_room_anew after update of version, has_lines on room
begin
    insert or ignore into output_changed_part (part) values ('rooms');
end;

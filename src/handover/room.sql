-- A room, or what one person has sent, as one database: made once, and complete in itself. Times are milliseconds since the epoch,
-- flags 0 or 1. `pragma user_version` is the version of this.

-- What this is: of which room or person, of what it was made, what is in it and what is not. See the values.
create table about (
    name text primary key,
    value text
) strict;

create table room (
    room_id text primary key,
    name text,
    version text
) strict;

-- An event with its line. `body` and all that follows is what the line says; where that is withheld it is null.
create table line (
    line integer primary key,
    event_id text not null unique,
    room_id text not null,
    stream_ordering integer not null,
    topological_ordering integer not null,
    type text,
    state_key text,
    sender text,
    origin_server_ts integer,
    received_ts integer,
    day text not null,
    body text,
    has text,
    relates_to text,
    rel_type text,
    edits integer not null,                 -- it says what is to stand in the place of what it relates to
    replies_to text,
    redacts text,
    redacted_by text,                       -- the redaction or ban in effect; erased: the server has erased who sent it; archive: the archive's owner
    withheld integer not null,              -- what it said is left out: it is redacted, or what it edits is
    encrypted integer not null,             -- 1: it was encrypted, and this is what it says; 2: and who sent it is authenticated
    censored integer not null,
    soft_failed integer not null,
    rejected integer not null,
    outlier integer not null,
    damaged integer not null,
    json text not null
) strict;

-- Every event, readable.
create view event as
select event_id, room_id, type, state_key, sender, origin_server_ts,
       strftime('%Y-%m-%dT%H:%M:%SZ', origin_server_ts / 1000, 'unixepoch') as time, day, body, has, relates_to, rel_type, replies_to,
       redacts, redacted_by, withheld, encrypted, censored, soft_failed, rejected, outlier, damaged, stream_ordering,
       topological_ordering, received_ts, json
  from line;

-- What was said, as clients show it: messages, stickers and polls that are not redacted, with the last valid edit of each.
create view message as
select told.event_id, told.room_id, told.day, told.origin_server_ts,
       strftime('%Y-%m-%dT%H:%M:%SZ', told.origin_server_ts / 1000, 'unixepoch') as time, told.sender, told.type,
       case when edit.line is null then told.body
            when told.replies_to is null or substr(edit.body, 1, 3) <> '> <' and substr(edit.body, 1, 5) <> '> * <' then edit.body
            when instr(edit.body, char(10) || char(10)) = 0 then ''
            else substr(edit.body, instr(edit.body, char(10) || char(10)) + 2) end as body,
       edit.event_id as edited_by, told.rel_type, told.relates_to, told.replies_to,
       case when edit.line is null then told.has else edit.has end as has
  from (select line.*,
               (select edit.line from line edit
                 where edit.relates_to = line.event_id and edit.room_id = line.room_id and edit.rel_type = 'm.replace'
                   and edit.sender = line.sender and edit.type = line.type and edit.state_key is null
                   and edit.edits and edit.encrypted >= min(line.encrypted, 1)
                   and edit.redacted_by is null and not edit.withheld and not edit.rejected and not edit.soft_failed
                 order by edit.origin_server_ts desc, edit.event_id desc limit 1) as edit
          from line
         where line.type in ('m.room.message', 'm.sticker', 'm.poll.start', 'org.matrix.msc3381.poll.start', 'm.message',
                             'org.matrix.msc1767.message', 'm.notice', 'org.matrix.msc1767.notice', 'm.emote', 'org.matrix.msc1767.emote',
                             'm.file', 'org.matrix.msc1767.file', 'org.matrix.msc3551.file', 'm.image', 'org.matrix.msc1767.image',
                             'org.matrix.msc3552.image', 'm.video', 'org.matrix.msc1767.video', 'org.matrix.msc3553.video', 'm.audio',
                             'org.matrix.msc1767.audio', 'org.matrix.msc3927.audio', 'm.voice', 'org.matrix.msc1767.voice',
                             'org.matrix.msc3245.voice', 'org.matrix.msc3245.voice.v2', 'm.location', 'org.matrix.msc1767.location',
                             'org.matrix.msc3488.location')
           and line.state_key is null
           and coalesce(line.rel_type, '') <> 'm.replace'
           and line.redacted_by is null and not line.withheld and not line.rejected and not line.soft_failed) told
  left join line edit on edit.line = told.edit;

pragma user_version = 1;

-- The catalog: one SQLite database that indexes the archive's lines and says how far the export has come.
-- `pragma user_version` is its version. Times are RFC 3339 in UTC, `*_ts` are milliseconds since the epoch, flags 0 or 1.

-- One row per archived event; its line is in rooms/<room.directory>/<day>.jsonl.
create table event (
    event_id text not null,
    room_id text not null,
    stream_ordering integer not null,
    topological_ordering integer not null,
    type text,                              -- null: a damaged line, known only from the file
    state_key text,                         -- null: no state event
    sender text,
    origin_server_ts integer,
    received_ts integer,
    day text not null,                      -- YYYY-MM-DD, UTC, or 'undated'
    content text,                           -- JSON as Synapse stored it; null: the PDU is damaged
    body text as (case json_type(content, '$.body') when 'text' then content ->> '$.body' end),
    relates_to text,                        -- the event that content.m.relates_to names
    rel_type text,                          -- how: m.replace, m.thread, m.annotation, …, m.in_reply_to
    replies_to text,                        -- the event that it answers, within a thread too
    redacts text,                           -- the event that this redaction names
    recheck integer,                        -- a redaction that holds only within the server of its sender
    redacted_by text,                       -- the redaction in effect, or the ban
    censored integer not null,              -- Synapse had pruned it before it was archived
    soft_failed integer not null,
    rejected integer not null,              -- as Synapse has it by now, like `soft_failed`; the line says how it was
    outlier integer not null,               -- left behind by a purge
    damaged integer not null,               -- the line holds no PDU
    run integer not null                    -- the run that archived it
) strict;

-- What was said, as clients show it: messages and stickers that are not redacted, with the last valid edit of each. Of a reply
-- without the quote that older clients put before the answer ("> <@user> …", up to an empty line): what it quotes may be redacted.
create view message as
select event_id, room_id, day, origin_server_ts, sender, type,
       case when replies_to is null or body not glob '> <*' and body not glob '> [*] <*' then body
            when instr(body, char(10) || char(10)) = 0 then ''
            else substr(body, instr(body, char(10) || char(10)) + 2) end as body,
       edited_by, rel_type, relates_to, replies_to
  from (select said.event_id, said.room_id, said.day, said.origin_server_ts, said.sender, said.type,
               case when edit.event_id is null then said.body
                    else (case json_type(edit.content, '$."m.new_content".body')
                          when 'text' then edit.content ->> '$."m.new_content".body' end) end as body,
               said.edited_by, said.rel_type, said.relates_to, said.replies_to
          from (select event.*,
                       (select edit.event_id from event edit
                         where edit.relates_to = event.event_id and edit.rel_type = 'm.replace' and +edit.room_id = event.room_id
                           and edit.sender = event.sender and edit.type = event.type and edit.state_key is null
                           and json_type(edit.content, '$."m.new_content"') = 'object'
                           and edit.redacted_by is null and not edit.rejected and not edit.soft_failed
                         order by edit.origin_server_ts desc, edit.event_id desc limit 1) as edited_by
                  from event
                 where event.type in ('m.room.message', 'm.sticker') and event.state_key is null
                   and event.rel_type is not 'm.replace'
                   and event.redacted_by is null and not event.rejected and not event.soft_failed) said
          left join event edit on edit.event_id = said.edited_by);

-- Rooms with at least one archived event. What follows `version` is for the room's transcripts, and as of their last
-- rendering.
create table room (
    room_id text primary key,
    directory text not null unique,         -- below rooms/
    version text,                           -- null: the server does not say
    name text,                              -- its m.room.name, else canonical alias, else members' names, else its id
    aliases text,                           -- JSON array: canonical alias and others
    type text,                              -- m.space, …
    encrypted integer not null default 0,
    messages integer not null default 0,
    by_name text,                           -- the name made safe for by-name/
    link text,                              -- its symlink in by-name/, with its directory where two rooms share a name;
                                            -- null: still to be made, '': the file system has none
    dirty integer not null default 1        -- its index.md is not as the rows here say
) strict, without rowid;
create index room_by_name on room (by_name collate nocase);
create index room_dirty on room (room_id) where dirty;

-- Every file of lines, and how much of it is committed.
create table file (
    path text primary key,                  -- below the archive
    bytes integer not null,
    events integer not null,
    run integer not null,                   -- the last run that wrote to it
    messages integer not null default 0,    -- in its transcript
    dirty integer not null default 1        -- its transcript is not as the events say
) strict, without rowid;

-- Who was called what and when: every m.room.member event that clients saw, and those that the server fetched around a join
-- (outliers), which have no line.
create table membership (
    room_id text not null,
    user_id text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    membership text not null,               -- join, invite, knock, leave, ban
    displayname text,                       -- as it is shown: white space collapsed, 80 characters; null: none, or redacted
    primary key (room_id, user_id, origin_server_ts, topological_ordering, event_id)
) strict, without rowid;

-- What a first export adds to `membership`, which is put in order there when it has read everything.
create table first_membership (
    room_id text not null,
    user_id text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    membership text not null,
    displayname text
) strict;

-- As `membership`, what the room was called: m.room.name, .canonical_alias, .topic, .create, .encryption with an empty state key.
create table room_state (
    room_id text not null,
    type text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    sender text,
    content text,                           -- null: redacted
    primary key (room_id, type, topological_ordering, origin_server_ts, event_id)
) strict, without rowid;

-- Bans and kicks that redact all that a user has sent to a room, without redactions (Synapse's room_ban_redactions).
create table ban_redaction (
    room_id text not null,
    user_id text not null,
    event_id text not null,                 -- the ban or kick
    until integer,                          -- only events of a lower stream_ordering; null: all
    primary key (room_id, user_id)
) strict, without rowid;

-- How far it is followed which events Synapse has judged anew (its un_partial_stated_event_stream); at most one row.
create table rejudged (
    position integer not null
) strict;

-- Sticky events (MSC4354) that were archived as soft-failed, which Synapse may accept until they expire.
create table sticky (
    event_id text primary key,
    until integer not null                  -- when it expires
) strict, without rowid;

-- Events that have no row in event_json yet: each run asks for them again, and archives them as damaged once a day has passed
-- since the run that met them first.
create table waiting (
    event_id text primary key,
    room_id text not null,
    since text not null                     -- when that run began
) strict, without rowid;

-- How transcripts are rendered: `show_redacted`, 0 or 1. Whether the group may read the archive: `group_readable`, 0 or 1, and
-- `group_readable_begun` while that is being done to what is there.
create table setting (
    name text primary key,
    value integer not null
) strict, without rowid;

-- The archive that this is the catalog of, by its .archive.json, when the catalog is kept elsewhere; at most one row.
create table archive (
    id text primary key
) strict, without rowid;

-- The homeserver whose events these are; no row: not known yet.
create table server (
    name text primary key
) strict, without rowid;

-- Runs, for the record. `outcome`: running (or killed), done, damaged (done, but something is off: rows that are damaged, unplaced,
-- waited for or gone, or several of one event), stopped, failed; rebuilt: no
-- run, the catalog was made anew from the files.
create table run (
    run integer primary key,
    version text not null,                  -- of synapse-export
    started text not null,
    finished text,
    outcome text not null,
    error text,
    live integer not null default 0,        -- new events by stream
    backfill integer not null default 0,
    late integer not null default 0,        -- of these: found in a gap
    soft_failed integer not null default 0,
    rejected integer not null default 0,
    survivors integer not null default 0,
    censored integer not null default 0,
    damaged integer not null default 0,
    versionless integer not null default 0, -- of rooms whose version is not known
    unplaced integer not null default 0,    -- not archived: without a stream_ordering in the database; 1,000 if there are more
    known integer not null default 0,       -- read again, archived before
    files integer not null default 0,
    duplicates integer not null default 0,  -- of which the server has more than one row
    waiting integer not null default 0,     -- at its end: without a row in event_json yet, and to be asked for again
    mended integer not null default 0,      -- archived without their PDU by a run before, and whole by now
    gone integer not null default 0         -- waited for without a row in event_json for a day, and in the database no more
) strict;

-- Events of which the server had more than one row, under an index that let it, when they were read; the line is of one.
create table duplicate (
    event_id text primary key,
    run integer not null                    -- the last that read them
) strict, without rowid;

-- How far everything visible is archived: of the server (room_id '') or, while rooms are selected, of one room.
create table watermark (
    room_id text not null,
    stream text not null,                   -- live or backfill
    position integer not null,
    anchor integer,                         -- the newest position that was seen taken, and by which event
    event_id text,
    at text not null,
    run integer not null,
    primary key (room_id, stream)
) strict, without rowid;

-- Ranges of positions below a watermark that were not visible and may still appear.
create table gap (
    room_id text not null,
    stream text not null,
    first integer not null,
    last integer not null,
    clock integer not null,                 -- received_ts of the younger neighbour
    primary key (room_id, stream, first)
) strict, without rowid;

-- What is exported: no row, all rooms; `include`: only these; `exclude`: not these.
create table selection (
    room_id text primary key,
    mode text not null check (mode in ('include', 'exclude'))
) strict, without rowid;

-- Rooms that the server's watermark has passed without archiving them.
create table left_out (
    room_id text primary key
) strict, without rowid;

-- The first export, until it is done: it reads both streams up to these positions, each id once, so that it can add events
-- without an index; the de-outliered ones come last, when there is one.
create table first_export (
    stream text primary key,
    head integer not null
) strict, without rowid;

-- The batch being written: the files it appends to and their committed lengths. Empty between batches; while a first export
-- reads, one row with an empty path: any file may be longer than `file` says.
create table intent (
    path text primary key,
    bytes integer not null
) strict, without rowid;

-- Files of lines that are being written anew. Empty but in the middle of that.
create table rewrite (
    path text primary key,
    new text not null,                      -- the name of the file that is to take its place, beside it
    bytes integer                           -- its length, which `file` says by now; null: it is not written yet
) strict, without rowid;

-- Events whose PDUs are being looked for where no index shows them, and the page of event_json that is next. Empty but in the middle
-- of that.
create table sought (
    event_id text primary key
) strict, without rowid;
create table searched (
    page integer not null
) strict;

-- The indexes that a first export, which only adds, is faster without, are in `indexes.sql`.

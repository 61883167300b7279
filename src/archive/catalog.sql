-- The catalog: one SQLite database that indexes the archive's lines and says how far the export has come.
-- `pragma user_version` is its version. Times are RFC 3339 in UTC, `*_ts` are milliseconds since the epoch, flags 0 or 1.

-- What many rows name, as small numbers: rooms, users, types of events and relations.
--
-- Rooms without any line are there for the names that outliers gave. What follows `version` is for the room's transcripts, and as of their last rendering.
create table room (
    room integer primary key,
    room_id text not null unique,
    directory text not null unique,         -- below rooms/
    has_lines integer not null,
    version text,                           -- null: the server does not say
    name text,                              -- its m.room.name, else canonical alias, else members' names, else its id
    aliases text,                           -- JSON array: canonical alias and others
    type text,                              -- m.space, …
    encrypted integer not null default 0,
    messages integer not null default 0,
    alike text,                             -- the name as it looks
    by_name text,                           -- the name made safe for by-name/
    link text,                              -- its symlink in by-name/, with its directory where two rooms share a name;
                                            -- null: still to be made, '': the file system has none
    dirty integer not null default 1        -- its index.md is not as the rows here say
) strict;
create index room_by_name on room (by_name collate nocase);
create index room_alike on room (alike);
create index room_dirty on room (room_id) where dirty;

create table user (
    user integer primary key,
    user_id text not null unique
) strict;

create table type (
    type integer primary key,
    name text not null unique
) strict;

-- Every file of lines, and how much of it is committed: rooms/<room.directory>/<day>.jsonl.
create table file (
    file integer primary key,
    room integer not null,
    day text not null,                      -- YYYY-MM-DD, UTC, or 'undated'
    bytes integer not null,
    events integer not null,
    run integer not null,                   -- the last run that wrote to it
    messages integer not null default 0,    -- in its transcript
    unique (room, day)
) strict;

-- Which views of a file are not as the events say. A first export notes none before it has read everything.
create table stale (
    view text not null,                     -- markdown
    file integer not null,
    primary key (view, file)
) strict, without rowid;

-- By which version of the rendering the views are made. Files from `next` on may have one that an older version made; null: none has.
create table rendering (
    view text primary key,                  -- markdown
    version integer not null,
    next integer
) strict, without rowid;

-- Which transcripts call somebody, or the room, by a name that was first given later: they are stale when that is another one.
create table borrowed (
    file integer not null,
    room integer not null,
    user_id text not null,                  -- '': the room; '*': others too
    alike text not null,                    -- as in `membership`; '': none; of the room 'members' where it is called by them
    primary key (file, user_id)
) strict, without rowid;
create index borrowed_user on borrowed (room, user_id);
create index borrowed_alike on borrowed (room, alike);

-- One row per archived event: where its line is, what finds it, and its flags.
create table line (
    line integer primary key,
    event_id text not null,
    file integer not null,
    start integer not null,                 -- where in the file the line begins, in bytes
    length integer not null,                -- in bytes, without its newline
    stream_ordering integer not null,
    topological_ordering integer not null,
    type integer,                           -- null: a damaged line, known only from the file
    state_key text,                         -- null: no state event
    sender integer,
    origin_server_ts integer,
    received_ts integer,
    redacted_by text,                       -- the redaction in effect, or the ban
    censored integer not null,              -- Synapse had pruned it before it was archived
    soft_failed integer not null,
    rejected integer not null,              -- as Synapse has it by now, like `soft_failed`; the line says how it was
    outlier integer not null,               -- left behind by a purge
    damaged integer not null,               -- the line holds no PDU
    erased integer not null,                -- `synapse-export erase` has taken what it said
    run integer not null,                   -- the run that archived it
    -- what an index finds it by: of an id that is a hash a part, of one that names a server all
    id_key text as (case when instr(event_id, ':') then event_id else substr(event_id, 2, 8) end)
) strict;

-- What events say of others, if they do.
create table relation (
    line integer primary key,
    relates_to text,                        -- the event that content.m.relates_to names
    rel_type integer,                       -- how: m.replace, m.thread, m.annotation, …, m.in_reply_to
    replies_to text,                        -- the event that it answers, within a thread too
    redacts text,                           -- the event that this redaction names
    recheck integer,                        -- a redaction that holds only within the server of its sender
    -- as `id_key`
    relates_to_key text as (case when instr(relates_to, ':') then relates_to else substr(relates_to, 2, 8) end),
    replies_to_key text as (case when instr(replies_to, ':') then replies_to else substr(replies_to, 2, 8) end),
    redacts_key text as (case when instr(redacts, ':') then redacts else substr(redacts, 2, 8) end)
) strict;

-- What events say to be read and searched: their body, of an edit the new one, of a reaction its key. Of a reply without the quote that older clients put before the answer ("> <@user> …", up to an empty line):
-- what it quotes may be redacted. Of a poll its question and answers, of m.room.topic the topic, of m.room.name the name.
create table said (
    line integer primary key,
    body text,                              -- null: an edit without a readable new one
    has text                                -- what else there is in it, as words: link, image, video, file, audio, poll, and the ids
                                            -- of those whom it mentions; @room: everybody
) strict;

-- Archived events, readable. Their content is in their lines: `length` bytes of `path` from `start` on, or
-- `synapse-export show --raw ID`. One is found at once by
-- `id_key = substr('$…', 2, 8) and event_id = '$…'`; one whose id names a server by `id_key = '$…:…'`.
create view event as
select line.event_id, room.room_id, line.stream_ordering, line.topological_ordering, type.name as type, line.state_key,
       user.user_id as sender, line.origin_server_ts, line.received_ts, file.day, said.body, said.has, relation.relates_to,
       rel.name as rel_type, relation.replies_to, relation.redacts, relation.recheck,
       coalesce(line.redacted_by, case when type.name is 'm.room.create' then null when line.erased then 'archive'
                                       else (select 'erased' from erased where erased.user_id = user.user_id) end) as redacted_by,
       line.censored,
       line.soft_failed, line.rejected, line.outlier, line.damaged, line.erased, line.run,
       'rooms/' || room.directory || '/' || file.day || '.jsonl' as path, line.start, line.length, line.line, line.id_key
  from line
  join file on file.file = line.file
  join room on room.room = file.room
  left join type on type.type = line.type
  left join user on user.user = line.sender
  left join relation on relation.line = line.line
  left join type rel on rel.type = relation.rel_type
  left join said on said.line = line.line;

-- What was said, as clients show it: messages, stickers and polls that are not redacted, with the last valid edit of each. `line` is its
-- line, `said_line` that which says so: of what is edited the edit's. (Without `glob`, `not like`, `is not 'text'` and `char`, which DuckDB
-- cannot read.)
create view message as
select told.event_id, told.room_id, told.day, told.origin_server_ts, told.sender, told.type,
       case when edit.line is null then told.body
            when told.replies_to is null or substr(new.body, 1, 3) <> '> <' and substr(new.body, 1, 5) <> '> * <' then new.body
            when instr(new.body, '

') = 0 then ''
            else substr(new.body, instr(new.body, '

') + 2) end as body,
       edit.event_id as edited_by, told.rel_type, told.relates_to, told.replies_to,
       case when edit.line is null then told.has else new.has end as has, told.line, coalesce(told.edit, told.line) as said_line
  from (select event.*,
               (select edit.line
                  from relation r
                  join line edit on edit.line = r.line
                  join line target on target.line = event.line
                  join said on said.line = r.line
                  join file f on f.file = edit.file
                  join file g on g.file = target.file
                 where r.relates_to_key = event.id_key and r.relates_to = event.event_id and f.room = g.room
                   and r.rel_type = (select type from type where name = 'm.replace')
                   and edit.sender = target.sender and edit.type = target.type and edit.state_key is null
                   and edit.redacted_by is null and not edit.rejected and not edit.soft_failed
                 order by edit.origin_server_ts desc, edit.event_id desc limit 1) as edit
          from event
         where event.type in ('m.room.message', 'm.sticker', 'm.poll.start', 'org.matrix.msc3381.poll.start', 'm.message',
                              'org.matrix.msc1767.message', 'm.notice', 'org.matrix.msc1767.notice', 'm.emote', 'org.matrix.msc1767.emote',
                              'm.file', 'org.matrix.msc1767.file', 'org.matrix.msc3551.file', 'm.image', 'org.matrix.msc1767.image',
                              'org.matrix.msc3552.image', 'm.video', 'org.matrix.msc1767.video', 'org.matrix.msc3553.video', 'm.audio',
                              'org.matrix.msc1767.audio', 'org.matrix.msc3927.audio', 'm.voice', 'org.matrix.msc1767.voice',
                              'org.matrix.msc3245.voice', 'org.matrix.msc3245.voice.v2', 'm.location', 'org.matrix.msc1767.location',
                              'org.matrix.msc3488.location')
           and event.state_key is null
           and coalesce(event.rel_type, '') <> 'm.replace'
           and event.redacted_by is null and not event.rejected and not event.soft_failed) told
  left join line edit on edit.line = told.edit
  left join said new on new.line = told.edit;

-- The same, as the table `search` finds it: `rowid` is the line that says it.
create view found as
select message.*, said.line as rowid
  from said
  left join relation r on r.line = said.line and r.rel_type = (select type from type where name = 'm.replace')
  left join line target on target.id_key = r.relates_to_key and target.event_id = r.relates_to
  join message on message.line = coalesce(target.line, said.line) and message.said_line = said.line;

-- Who was called what and when: every m.room.member event that clients saw, and those that the server fetched around a join
-- (outliers), which have no line.
create table membership (
    room integer not null,
    user_id text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    membership text not null,               -- join, invite, knock, leave, ban
    given text,                             -- the name: white space collapsed, 80 characters; null: none
    looks text,                             -- the same without what nobody sees, where that is something else
    redacted integer not null default 0,
    displayname text as (case when not redacted then given end),
    alike text as (case when not redacted then coalesce(looks, given) end),
    primary key (room, user_id, origin_server_ts, topological_ordering, event_id)
) strict, without rowid;

-- What a first export adds to `membership`, which is put in order there when it has read everything.
create table first_membership (
    room integer not null,
    user_id text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    membership text not null,
    given text,
    looks text
) strict;

-- As `membership`, what the room was called: m.room.name, .canonical_alias, .topic, .create, .encryption with an empty state key;
-- which room it came from, or goes on in: .create, .tombstone; and who may do what: .power_levels.
create table room_state (
    room integer not null,
    type text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    sender text,
    given text,                             -- JSON
    redacted integer not null default 0,
    content text as (case when not redacted then given end),
    other text as (case when redacted or not json_valid(given) then null
                        when type = 'm.room.create' and json_type(given, '$.predecessor.room_id') = 'text'
                        then json_extract(given, '$.predecessor.room_id')
                        when type = 'm.room.tombstone' and json_type(given, '$.replacement_room') = 'text'
                        then json_extract(given, '$.replacement_room') end),
    primary key (room, type, topological_ordering, origin_server_ts, event_id)
) strict, without rowid;
create index room_state_other on room_state (other) where other is not null;

-- Bans and kicks that redact all that a user has sent to a room, without redactions (Synapse's room_ban_redactions).
create table ban_redaction (
    room_id text not null,
    user_id text not null,
    event_id text not null,                 -- the ban or kick
    until integer,                          -- only events of a lower stream_ordering; null: all
    primary key (room_id, user_id)
) strict, without rowid;

-- Users whom the server has erased, where what they said is hidden: `redacted_by` of the view `event` is 'erased' then.
create table erased (
    user_id text primary key
) strict, without rowid;

-- What was asked to be erased, and is.
create table erasure (
    erasure integer primary key,
    what text not null,                     -- event, sender, room, before, redacted, erased (users whom the server has erased), again
    which text not null,                    -- a user's or room's id, a day or a number of days (90d); of events a JSON array of ids until
                                            -- their lines are found
    whole integer not null,                 -- 1: lines go, 0: they are pruned
    lasts integer not null,                 -- 1: it holds for what comes later too
    done integer not null,                  -- 0: it has yet to be found which lines it means; 1: they are in `to_erase`; 2: it is done
    at text not null,
    reason text
) strict;

-- Events that are erased, for good.
create table tombstone (
    id text primary key,                    -- SHA-256 of the event's id, hexadecimal
    kind text not null,                     -- whole, pruned; of others' events cut (what it quotes in an answer), copies (in `unsigned`)
    line text,                              -- SHA-256 of the line as it was last, without its newline; null: it had none
    erasure integer not null
) strict, without rowid;

-- Rooms of which nothing is erased.
create table hold (
    room_id text primary key,
    at text not null,
    reason text
) strict, without rowid;

-- Lines that are to be erased yet. Empty but in the middle of that.
create table to_erase (
    file integer not null,
    line integer not null,
    how integer not null,                   -- 1 copies, 2 cut, 3 pruned, 4 whole
    erasure integer not null,
    looked integer not null,                -- what repeats it is among them
    primary key (file, line)
) strict, without rowid;
create index to_erase_looked on to_erase (line, how) where not looked;

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

-- How transcripts are rendered: `show_redacted`, 0 or 1; `timezone`, an IANA name; `hide_erased`, 0 or 1. Whether the group may read the
-- archive: `group_readable`, 0 or 1, and `group_readable_begun` while that is being done to what is there. `power_levels`, 1: those are
-- read that were passed by. `no_search`, 1: there is to be no index of full-text search. `output NAME`: what is kept up to date
-- elsewhere, as JSON.
create table setting (
    name text primary key,
    value any not null
) strict, without rowid;

-- The archive that this is the catalog of, by its .archive.json, when the catalog is kept elsewhere; at most one row.
create table archive (
    id text primary key
) strict, without rowid;

-- Up to which line `decrypted.sqlite`, by its own id, has looked at what is encrypted; at most one row. Of these lines something has changed since: whether
-- clients see them, or what they are.
create table decrypting (
    decrypted text primary key,
    line integer not null
) strict, without rowid;
create table to_judge (
    line integer primary key
) strict;
create trigger line_to_judge after update of type, rejected, soft_failed, damaged on line
when new.line <= (select line from decrypting) and new.type is (select type from type where name = 'm.room.encrypted')
begin
    insert or ignore into to_judge (line) values (new.line);
end;

-- The homeserver whose events these are; no row: not known yet.
create table server (
    name text primary key
) strict, without rowid;

-- The public keys of servers with which events are signed, as the server had them, or as they were given for its own. What proves
-- an event has to outlive its server.
create table server_key (
    server_name text not null,
    key_id text not null,                   -- ed25519:…
    verify_key text not null,               -- base64, without padding
    valid_until integer,                    -- until when it may sign, milliseconds since the epoch; null: no end is known
    primary key (server_name, key_id)
) strict, without rowid;

-- How far the archive's chain.jsonl goes; no row: there is none yet.
create table chain (
    name text primary key,                  -- chain.jsonl
    bytes integer not null,
    head text not null                      -- SHA-256 of its last commit, hexadecimal
) strict, without rowid;

-- How the events of a file of lines stood against their own proof when they were last verified, and how long it was then.
create table judged (
    file integer primary key,
    at text not null,
    bytes integer not null,
    digest text not null,                   -- SHA-256 over the SHA-256 of each line in order, hexadecimal
    authentic integer not null,
    redacted integer not null,
    erased integer not null,
    no_key integer not null,
    not_decided integer not null,
    bad_signature integer not null,
    altered integer not null
) strict;

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

-- Events of which this knows what their lines do not say: redactions that hold only within a server, or may, damaged ones, and
-- those that Synapse has rejected since, or soft-failed, or accepted again.
create table beyond_line (
    event_id text primary key
) strict, without rowid;

-- How far the archive's state.jsonl follows this catalog; no row: not at all.
create table state (
    archive text not null,                  -- the archive's own id
    snapshot text not null,                 -- that of the file, which has another one each time it is written anew
    bytes integer not null,
    synced integer not null,                -- how many of them are on the disk
    begun integer not null,                 -- how many it had when it was written anew
    is_whole integer not null               -- it has all that it can have; 0: only what is promised, while a first export reads
) strict;

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

create table room (
    room integer primary key,
    room_id text not null unique,
    directory text not null unique,
    has_lines integer not null,
    version text,
    name text,
    aliases text,
    type text,
    encrypted integer not null default 0,
    messages integer not null default 0,
    by_name text,
    link text,
    dirty integer not null default 1
) strict;
create index room_by_name on room (by_name collate nocase);
create index room_dirty on room (room_id) where dirty;
create table user (
    user integer primary key,
    user_id text not null unique
) strict;
create table type (
    type integer primary key,
    name text not null unique
) strict;
create table file (
    file integer primary key,
    room integer not null,
    day text not null,
    bytes integer not null,
    events integer not null,
    run integer not null,
    messages integer not null default 0,
    unique (room, day)
) strict;
create table stale (
    view text not null,
    file integer not null,
    primary key (view, file)
) strict, without rowid;
create table line (
    line integer primary key,
    event_id text not null,
    file integer not null,
    start integer not null,
    length integer not null,
    stream_ordering integer not null,
    topological_ordering integer not null,
    type integer,
    state_key text,
    sender integer,
    origin_server_ts integer,
    received_ts integer,
    redacted_by text,
    censored integer not null,
    soft_failed integer not null,
    rejected integer not null,
    outlier integer not null,
    damaged integer not null,
    run integer not null,
    id_key text as (case when instr(event_id, ':') then event_id else substr(event_id, 2, 8) end)
) strict;
create table relation (
    line integer primary key,
    relates_to text,
    rel_type integer,
    replies_to text,
    redacts text,
    recheck integer,
    relates_to_key text as (case when instr(relates_to, ':') then relates_to else substr(relates_to, 2, 8) end),
    replies_to_key text as (case when instr(replies_to, ':') then replies_to else substr(replies_to, 2, 8) end),
    redacts_key text as (case when instr(redacts, ':') then redacts else substr(redacts, 2, 8) end)
) strict;
create table said (
    line integer primary key,
    body text
) strict;
create view event as
select line.event_id, room.room_id, line.stream_ordering, line.topological_ordering, type.name as type, line.state_key,
       user.user_id as sender, line.origin_server_ts, line.received_ts, file.day, said.body, relation.relates_to,
       rel.name as rel_type, relation.replies_to, relation.redacts, relation.recheck, line.redacted_by, line.censored,
       line.soft_failed, line.rejected, line.outlier, line.damaged, line.run,
       'rooms/' || room.directory || '/' || file.day || '.jsonl' as path, line.start, line.length, line.line, line.id_key
  from line
  join file on file.file = line.file
  join room on room.room = file.room
  left join type on type.type = line.type
  left join user on user.user = line.sender
  left join relation on relation.line = line.line
  left join type rel on rel.type = relation.rel_type
  left join said on said.line = line.line;
create view message as
select told.event_id, told.room_id, told.day, told.origin_server_ts, told.sender, told.type,
       case when edit.line is null then told.body
            when told.replies_to is null or new.body not glob '> <*' and new.body not glob '> [*] <*' then new.body
            when instr(new.body, char(10) || char(10)) = 0 then ''
            else substr(new.body, instr(new.body, char(10) || char(10)) + 2) end as body,
       edit.event_id as edited_by, told.rel_type, told.relates_to, told.replies_to
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
         where event.type in ('m.room.message', 'm.sticker') and event.state_key is null
           and event.rel_type is not 'm.replace'
           and event.redacted_by is null and not event.rejected and not event.soft_failed) told
  left join line edit on edit.line = told.edit
  left join said new on new.line = told.edit;
create table membership (
    room integer not null,
    user_id text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    membership text not null,
    given text,
    redacted integer not null default 0,
    displayname text as (case when not redacted then given end),
    primary key (room, user_id, origin_server_ts, topological_ordering, event_id)
) strict, without rowid;
create table first_membership (
    room integer not null,
    user_id text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    membership text not null,
    given text
) strict;
create table room_state (
    room integer not null,
    type text not null,
    origin_server_ts integer not null,
    topological_ordering integer not null,
    event_id text not null,
    sender text,
    given text,
    redacted integer not null default 0,
    content text as (case when not redacted then given end),
    primary key (room, type, topological_ordering, origin_server_ts, event_id)
) strict, without rowid;
create table ban_redaction (
    room_id text not null,
    user_id text not null,
    event_id text not null,
    until integer,
    primary key (room_id, user_id)
) strict, without rowid;
create table rejudged (
    position integer not null
) strict;
create table sticky (
    event_id text primary key,
    until integer not null
) strict, without rowid;
create table waiting (
    event_id text primary key,
    room_id text not null,
    since text not null
) strict, without rowid;
create table setting (
    name text primary key,
    value integer not null
) strict, without rowid;
create table archive (
    id text primary key
) strict, without rowid;
create table server (
    name text primary key
) strict, without rowid;
create table run (
    run integer primary key,
    version text not null,
    started text not null,
    finished text,
    outcome text not null,
    error text,
    live integer not null default 0,
    backfill integer not null default 0,
    late integer not null default 0,
    soft_failed integer not null default 0,
    rejected integer not null default 0,
    survivors integer not null default 0,
    censored integer not null default 0,
    damaged integer not null default 0,
    versionless integer not null default 0,
    unplaced integer not null default 0,
    known integer not null default 0,
    files integer not null default 0,
    duplicates integer not null default 0,
    waiting integer not null default 0,
    mended integer not null default 0,
    gone integer not null default 0
) strict;
create table duplicate (
    event_id text primary key,
    run integer not null
) strict, without rowid;
create table watermark (
    room_id text not null,
    stream text not null,
    position integer not null,
    anchor integer,
    event_id text,
    at text not null,
    run integer not null,
    primary key (room_id, stream)
) strict, without rowid;
create table gap (
    room_id text not null,
    stream text not null,
    first integer not null,
    last integer not null,
    clock integer not null,
    primary key (room_id, stream, first)
) strict, without rowid;
create table selection (
    room_id text primary key,
    mode text not null check (mode in ('include', 'exclude'))
) strict, without rowid;
create table left_out (
    room_id text primary key
) strict, without rowid;
create table beyond_line (
    event_id text primary key
) strict, without rowid;
create table state (
    archive text not null,
    snapshot text not null,
    bytes integer not null,
    synced integer not null,
    begun integer not null,
    is_whole integer not null
) strict;
create table first_export (
    stream text primary key,
    head integer not null
) strict, without rowid;
create table intent (
    path text primary key,
    bytes integer not null
) strict, without rowid;
create table rewrite (
    path text primary key,
    new text not null,
    bytes integer
) strict, without rowid;
create table sought (
    event_id text primary key
) strict, without rowid;
create table searched (
    page integer not null
) strict;
create index if not exists line_id on line (id_key);
create index if not exists line_file on line (file);
create index if not exists relation_relates_to on relation (relates_to_key) where relates_to is not null;
create index if not exists relation_replies_to on relation (replies_to_key) where replies_to is not null and replies_to is not relates_to;
create index if not exists relation_redacts on relation (redacts_key) where redacts is not null;
create index if not exists membership_displayname on membership (room, displayname) where displayname is not null;

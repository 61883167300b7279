-- What a catalog of version 9 lacks for its state to be written, in one transaction. A view of ours in place of those that are there:
-- who hands over an archive may have put something else in theirs.
drop view if exists message;
drop view if exists event;
create view event as
select line.event_id, type.name as type, line.state_key, user.user_id as sender, line.origin_server_ts, relation.redacts,
       relation.recheck, line.rejected, line.soft_failed, line.id_key
  from line
  left join type on type.type = line.type
  left join user on user.user = line.sender
  left join relation on relation.line = line.line;
create table if not exists erased (user_id text primary key) strict, without rowid;
create table if not exists erasure (
    erasure integer primary key, what text not null, which text not null, whole integer not null, lasts integer not null,
    done integer not null, at text not null, reason text) strict;
create table if not exists tombstone (
    id text primary key, kind text not null, line text, erasure integer not null) strict, without rowid;
create table if not exists hold (room_id text primary key, at text not null, reason text) strict, without rowid;
create index if not exists line_id on line (id_key);

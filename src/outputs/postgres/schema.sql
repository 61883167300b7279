-- The tables of an output in PostgreSQL. They are its own: what others write there is lost, or in the way. To give others what is in
-- them: grant usage on schema synapse_archive to analyst; grant select on all tables in schema synapse_archive to analyst;
-- Ids are compared byte by byte (collate "C"), so that no index is another after an upgrade of the system.

-- Whose this is; one row.
create table synapse_archive.output (
    id text not null,                       -- as the archive knows the output
    columns text not null                   -- the version of the columns
);

-- How far it is, in the same transactions: of each part that has rows, a day, 'undated', 'room' or 'member' in the archive's words,
-- how many, how many bytes were sent, and their SHA-256.
create table synapse_archive.part (
    part text collate "C" primary key,
    rows bigint not null,
    bytes bigint not null,
    sha256 text not null
);

-- Tables from which something was taken since they were last vacuumed.
create table synapse_archive.to_vacuum (
    name text collate "C" primary key
);

create table synapse_archive.event (
    month text collate "C" not null,        -- '2026-11', or 'undated': missing, or outside 1970 … 9999
    day date,
    event_id text collate "C" not null,
    room_id text collate "C" not null,
    type text collate "C",
    state_key text collate "C",
    sender text collate "C",
    origin_server_ts timestamptz,
    origin_server_ts_sent bigint,
    received_ts timestamptz,
    stream_ordering bigint not null,
    depth bigint not null,
    relates_to text collate "C",
    rel_type text collate "C",
    replies_to text collate "C",
    redacts text collate "C",
    redacted_by text collate "C",
    edited_by text collate "C",
    censored boolean not null,
    soft_failed boolean not null,
    rejected boolean not null,
    outlier boolean not null,
    damaged boolean not null,
    decrypted text collate "C",
    verdict text collate "C",
    body text,
    content jsonb,
    content_text text,                      -- as it was sent, where `content` is something else, or nothing
    exact text,                             -- of texts with U+0000, for which U+FFFD stands, and of ids that no index can hold, which
                                            -- are null, what they are: a JSON object
    -- the id first, so that an event is found by it alone
    primary key (event_id, month)
) partition by list (month);
create index event_room on synapse_archive.event (room_id, origin_server_ts);
create index event_day on synapse_archive.event (day);
create index event_sender on synapse_archive.event (sender, origin_server_ts);
create index event_relates_to on synapse_archive.event (relates_to) where relates_to is not null;
create table synapse_archive.event_undated partition of synapse_archive.event for values in ('undated');
-- Months before Matrix, and those to come, which senders can say: a partition for each would be as many as they like.
create table synapse_archive.event_other partition of synapse_archive.event default;

create table synapse_archive.room (
    room_id text collate "C" primary key,
    name text not null,
    alias text collate "C",
    aliases text not null,
    topic text,
    type text collate "C",
    room_version text collate "C",
    encryption text collate "C",
    creator text collate "C",
    predecessor text collate "C",
    exact text
);

create table synapse_archive.member (
    room_id text collate "C" not null,
    user_id text collate "C" not null,
    membership text collate "C" not null,
    displayname text,
    origin_server_ts timestamptz,
    event_id text collate "C" not null,
    exact text,
    primary key (room_id, user_id)
);
create index member_user on synapse_archive.member (user_id);

-- What was said, as clients show it: each message once, with its newest text.
create view synapse_archive.message as
select event.event_id, event.room_id, room.name as room, event.origin_server_ts, event.day, event.month, event.sender, event.type,
       event.body, event.edited_by, event.rel_type, event.relates_to, event.replies_to, event.decrypted
  from synapse_archive.event
  left join synapse_archive.room using (room_id)
 where event.type in ('m.room.message', 'm.sticker', 'm.poll.start', 'org.matrix.msc3381.poll.start', 'm.message',
                      'org.matrix.msc1767.message', 'm.notice', 'org.matrix.msc1767.notice', 'm.emote', 'org.matrix.msc1767.emote',
                      'm.file', 'org.matrix.msc1767.file', 'org.matrix.msc3551.file', 'm.image', 'org.matrix.msc1767.image',
                      'org.matrix.msc3552.image', 'm.video', 'org.matrix.msc1767.video', 'org.matrix.msc3553.video', 'm.audio',
                      'org.matrix.msc1767.audio', 'org.matrix.msc3927.audio', 'm.voice', 'org.matrix.msc1767.voice',
                      'org.matrix.msc3245.voice', 'org.matrix.msc3245.voice.v2', 'm.location', 'org.matrix.msc1767.location',
                      'org.matrix.msc3488.location')
   and event.state_key is null and event.rel_type is distinct from 'm.replace' and event.redacted_by is null
   and not event.rejected and not event.soft_failed;

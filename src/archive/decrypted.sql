-- decrypted.sqlite: what the encrypted events of an archive say, or why they cannot be read. It cannot be made anew without the keys, and
-- is no part of the catalog. `pragma user_version` is its version; times are milliseconds since the epoch.

-- What tells this file from another one that somebody puts in its place; one row.
create table own (
    id text primary key
) strict, without rowid;

create table room (
    room integer primary key,
    room_id text not null unique
) strict;

-- Megolm sessions that events name.
create table session (
    session integer primary key,
    room integer not null,
    session_id text not null,
    bridge text,                            -- its owner's application service, which sends for others
    unique (room, session_id)
) strict;

-- Whose sessions are, as far as devices with their keys are known.
create table owner (
    session integer not null,
    user_id text not null,
    primary key (session, user_id)
) strict, without rowid;

-- Where sessions are looked up: when all of them were, and what the source said then of having changed.
create table source (
    source integer primary key,
    name text not null unique,
    etag text,
    looked integer,
    vouched integer                         -- when it was last looked in for who vouches for what can be read
) strict;

-- Every encrypted event that was looked at. It stays when what it says is taken away: that a message was used tells replays.
create table event (
    event integer primary key,
    event_id text not null unique,
    room integer not null,
    position integer not null,              -- its stream_ordering: what was backfilled stands before what came live
    sender text,
    session integer,                        -- null: it names none
    message integer,                        -- its place in the session
    accepted integer not null,              -- clients see it
    opened integer not null,                -- it was decrypted once
    unvouched integer not null default 0,   -- it can be read, by a session that nobody vouches for
    erased integer not null default 0,      -- 1: what it says is taken away for good; 2 and 3: all of it, `event_id` is the SHA-256 of its
                                            -- id then, and nobody its sender; 3: whom the session did not belong to
    reason text,                            -- why it cannot be read; null: it can
    detail text,                            -- the same in words, where these say more
    -- what a key that comes later may open
    wanted integer not null as (reason is not null and reason in ('no_session', 'session_starts_later', 'withheld', 'session_cannot_be_opened',
                                                                  'session_damaged', 'session_of_another_room', 'forgotten'))
) strict;
create index event_use on event (session, message, position) where session is not null;
create index event_wanted on event (session) where wanted and session is not null;
create index event_unvouched on event (session) where unvouched;
create index event_reason on event (reason);

-- Of the events that use a message of a session the one that counts; the others are its replays.
create table first (
    session integer not null,
    message integer not null,
    event integer not null,
    primary key (session, message)
) strict, without rowid;

-- What events say, whether it is told or, as of a replay, not.
create table plaintext (
    event integer primary key,
    type text not null,
    content text not null,                  -- JSON, with what relates it to others
    body text,                              -- to be searched, as the catalog's table `said` has it
    has text,
    edit integer not null,                  -- it says what is to take another's place
    source integer not null,
    authenticated integer not null,         -- the session came from its owner's device
    decrypted integer not null              -- when
) strict;

-- Events that can be read, or no more, since the catalog was last told.
create table changed (
    event integer primary key
) strict;

-- The index of words of what can be read; no row: there is to be none, or it is of another version.
create table search_state (
    version integer not null                -- of what cuts texts into words
) strict;

-- When the events of a block are from, as numbers of 1,024 events.
create table search_block (
    block integer primary key,              -- event >> 10
    newest integer not null
) strict;

-- As the catalog's table of this name; it has no texts of its own.
create virtual table search using fts5 (body, has, content='', contentless_delete=1,
    tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'");

-- The tables synapse-export reads, as Synapse 1.163 has them: those of 1.90, room_ban_redactions and redactions.recheck.
-- That column is true for every older redaction until the background update redactions_recheck has looked at it, so a test
-- that means false must say so. Only columns that are read; no foreign keys, since rows that point nowhere are what some
-- tests are about.

create table events (
    topological_ordering bigint not null,
    event_id text not null constraint events_event_id_key unique,
    type text not null,
    room_id text not null,
    processed boolean not null,
    outlier boolean not null,
    depth bigint not null default 0,
    origin_server_ts bigint,
    received_ts bigint,
    sender text,
    contains_url boolean,
    instance_name text,
    stream_ordering bigint,
    state_key text,
    rejection_reason text
);
create unique index events_stream_ordering on events (stream_ordering);
create index events_room_stream on events (room_id, stream_ordering);
create index events_order_room on events (room_id, topological_ordering, stream_ordering);
create index events_ts on events (origin_server_ts, stream_ordering);
create index events_jump_to_date_idx on events (room_id, origin_server_ts) where not outlier;

create table event_json (
    event_id text not null constraint event_json_event_id_key unique,
    room_id text not null,
    internal_metadata text not null,
    json text not null,
    format_version integer
);

create table ex_outlier_stream (
    event_stream_ordering bigint not null constraint ex_outlier_stream_pkey primary key,
    event_id text not null,
    state_group bigint not null,
    instance_name text
);

create table rejections (
    event_id text not null constraint rejections_event_id_key unique,
    reason text not null,
    last_check text not null
);

create table redactions (
    event_id text not null constraint redactions_event_id_key unique,
    redacts text not null,
    have_censored boolean not null default false,
    received_ts bigint,
    recheck boolean not null default true
);
create index redactions_redacts on redactions (redacts);
create index redactions_have_censored_ts on redactions (received_ts) where not have_censored;

create table rooms (
    room_id text not null constraint rooms_pkey primary key,
    is_public boolean,
    creator text,
    room_version text
);

create table room_aliases (
    room_alias text not null constraint room_aliases_room_alias_key unique,
    room_id text not null,
    creator text
);
create index room_aliases_id on room_aliases (room_id);

create table users (
    name text constraint users_name_key unique,
    password_hash text
);

create table local_current_membership (
    room_id text not null,
    user_id text not null,
    event_id text not null,
    membership text not null,
    event_stream_ordering bigint
);
create unique index local_current_membership_idx on local_current_membership (user_id, room_id);
create index local_current_membership_room_idx on local_current_membership (room_id);

create table room_memberships (
    event_id text not null constraint room_memberships_event_id_key unique,
    user_id text not null,
    sender text not null,
    room_id text not null,
    membership text not null,
    display_name text,
    avatar_url text,
    forgotten integer default 0
);
create index room_memberships_room_id on room_memberships (room_id);
create index room_memberships_user_id on room_memberships (user_id);

create table current_state_events (
    event_id text not null constraint current_state_events_event_id_key unique,
    room_id text not null,
    type text not null,
    state_key text not null,
    membership text,
    constraint current_state_events_room_id_type_state_key_key unique (room_id, type, state_key)
);
create index current_state_events_member_index on current_state_events (state_key) where type = 'm.room.member';

create table state_events (
    event_id text not null constraint state_events_event_id_key unique,
    room_id text not null,
    type text not null,
    state_key text not null
);

create table room_stats_state (
    room_id text not null,
    name text,
    canonical_alias text,
    join_rules text,
    history_visibility text,
    encryption text,
    avatar text,
    topic text,
    room_type text
);
create unique index room_stats_state_room on room_stats_state (room_id);

create table event_relations (
    event_id text not null,
    relates_to_id text not null,
    relation_type text not null,
    aggregation_key text
);
create unique index event_relations_id on event_relations (event_id);
create index event_relations_relates on event_relations (relates_to_id, relation_type, aggregation_key);

create table stream_positions (
    stream_name text not null,
    instance_name text not null,
    stream_id bigint not null
);
create unique index stream_positions_idx on stream_positions (stream_name, instance_name);

create table background_updates (
    update_name text not null constraint background_updates_uniqueness unique,
    progress_json text not null,
    depends_on text,
    ordering integer not null default 0
);

create table room_ban_redactions (
    room_id text not null,
    user_id text not null,
    redacting_event_id text not null,
    redact_end_ordering bigint,
    constraint room_ban_redaction_uniqueness unique (room_id, user_id)
);

create table un_partial_stated_event_stream (
    stream_id bigint not null constraint un_partial_stated_event_stream_pkey primary key,
    instance_name text not null,
    event_id text not null,
    rejection_status_changed boolean not null
);

create table server_signature_keys (
    server_name text,
    key_id text,
    from_server text,
    ts_added_ms bigint,
    verify_key bytea,
    ts_valid_until_ms bigint,
    constraint server_signature_keys_server_name_key_id_key unique (server_name, key_id)
);

create table server_keys_json (
    server_name text not null,
    key_id text not null,
    from_server text not null,
    ts_added_ms bigint not null,
    ts_valid_until_ms bigint not null,
    key_json bytea not null,
    constraint server_keys_json_uniqueness unique (server_name, key_id, from_server)
);

create table erased_users (
    user_id text not null
);
create unique index erased_users_user on erased_users (user_id);

create table schema_version (
    lock character(1) not null default 'X' constraint schema_version_lock_key unique check (lock = 'X'),
    version integer not null,
    upgraded boolean not null
);

create table room_retention (
    room_id text not null,
    event_id text not null,
    min_lifetime bigint,
    max_lifetime bigint,
    constraint room_retention_pkey primary key (room_id, event_id)
);
create index room_retention_max_lifetime_idx on room_retention (max_lifetime);

create table scheduled_tasks (
    id text constraint scheduled_tasks_pkey primary key,
    action text not null,
    status text not null,
    "timestamp" bigint not null
);

-- Never read: it is here so that tests can show that the reader role may not.
create table access_tokens (
    token text not null constraint access_tokens_token_key unique
);

insert into schema_version (version, upgraded) values (94, true);

create table local_media_repository (
    media_id text constraint local_media_repository_media_id_key unique,
    media_type text,
    media_length integer,
    created_ts bigint,
    upload_name text,
    user_id text,
    quarantined_by text,
    url_cache text,
    sha256 text
);

create table remote_media_cache (
    media_origin text,
    media_id text,
    media_type text,
    media_length integer,
    filesystem_id text,
    quarantined_by text,
    sha256 text,
    constraint remote_media_cache_media_origin_media_id_key unique (media_origin, media_id)
);

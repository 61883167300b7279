-- Synapse's tables of encryption keys, as far as they are read, to go with any of the other schemas; the columns of Synapse 1.60 to
-- 1.163.
alter table users add column appservice_id text;

create table e2e_room_keys (
    user_id text not null,
    room_id text not null,
    session_id text not null,
    version bigint not null,
    first_message_index integer,
    forwarded_count integer,
    is_verified boolean,
    session_data text not null
);
create unique index e2e_room_keys_with_version_idx on e2e_room_keys (user_id, version, room_id, session_id);

create table e2e_room_keys_versions (
    user_id text not null,
    version bigint not null,
    algorithm text not null,
    auth_data text not null,
    deleted smallint not null default 0,
    etag bigint
);
create unique index e2e_room_keys_versions_idx on e2e_room_keys_versions (user_id, version);

create table account_data (
    user_id text not null,
    account_data_type text not null,
    stream_id bigint not null,
    content text not null,
    constraint account_data_uniqueness unique (user_id, account_data_type)
);

create table e2e_device_keys_json (
    user_id text not null,
    device_id text not null,
    ts_added_ms bigint not null,
    key_json text not null,
    constraint e2e_device_keys_json_uniqueness unique (user_id, device_id)
);

create table device_lists_remote_cache (
    user_id text not null,
    device_id text not null,
    content text not null
);
create unique index device_lists_remote_cache_unique_id on device_lists_remote_cache (user_id, device_id);

-- The indexes of a catalog that a first export, which only adds, is faster without. They are made in this order when it has read
-- everything, each in a transaction of its own: the first one says that this has begun, the last one that all are there.
create unique index if not exists event_id on event (event_id);
create index if not exists event_room on event (room_id, origin_server_ts);
create index if not exists event_redacts on event (redacts) where redacts is not null;
create index if not exists event_relates_to on event (relates_to) where relates_to is not null;
create index if not exists event_replies_to on event (replies_to) where replies_to is not null and replies_to is not relates_to;
create index if not exists membership_displayname on membership (room_id, displayname) where displayname is not null;
create index if not exists file_dirty on file (path) where dirty;

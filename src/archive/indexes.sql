-- The indexes of a catalog that a first export, which only adds, is faster without. They are made in this order when it has read
-- everything, each in a transaction of its own: the first one says that this has begun, the last one that all are there.
create index if not exists line_id on line (id_key);
create index if not exists line_file on line (file);
create index if not exists relation_relates_to on relation (relates_to_key) where relates_to is not null;
create index if not exists relation_replies_to on relation (replies_to_key) where replies_to is not null and replies_to is not relates_to;
create index if not exists relation_redacts on relation (redacts_key) where redacts is not null;
create index if not exists membership_order on membership (room, user_id, topological_ordering)
    where displayname is not null and membership in ('join', 'invite', 'knock');
create index if not exists membership_alike on membership (room, alike) where alike is not null;

-- What brings a catalog of version 7 to version 8, in one transaction: what `catalog.sql` has since then, and nothing that has to
-- look at every event.
alter table run add column unplaced integer not null default 0;

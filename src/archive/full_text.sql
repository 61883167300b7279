-- What full-text search needs beside the catalog's tables: made when an archive is first searched or exported into, and dropped when
-- search is switched off. `catalog.sql` says what the tables are made of.

-- How far the index is; at most one row.
create table search_state (
    version integer not null,               -- of what cuts texts into words
    line integer not null                   -- the lines up to this one are in it
) strict;

-- When the lines of a block are from, as numbers of 1,024 lines: `oldest` and `newest`, milliseconds since the epoch, of what they say
-- and of what they edit.
create table search_block (
    block integer primary key,              -- line >> 10
    oldest integer not null,
    newest integer not null
) strict;

-- Lines up to `search_state.line` that have a row in `said` and none in the index: what is redacted, or no message.
create table search_left_out (
    line integer primary key
) strict;

-- Of these something has changed since.
create table search_changed (
    line integer primary key
) strict;

create trigger search_line after update of redacted_by, rejected, soft_failed, type, state_key on line
when new.line <= (select line from search_state)
begin
    insert or ignore into search_changed (line) values (new.line);
    insert or ignore into search_changed (line)
    select line from relation
     where old.redacted_by is not new.redacted_by and relates_to_key = new.id_key and relates_to = new.event_id
       and rel_type = (select type from type where name = 'm.replace') and line <= (select line from search_state);
end;

create trigger search_said after insert on said
when new.line <= (select line from search_state)
begin
    insert or ignore into search_left_out (line) values (new.line);
    insert or ignore into search_changed (line) values (new.line);
end;

-- The index: of `said` the texts, cut into words and folded as `synapse-export search` does it. It has no texts of its own: those of the view
-- `found` are found by `rowid in (select rowid from search where search match '…')`.
create virtual table search using fts5 (body, has, content="found", columnsize=0,
    tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'");

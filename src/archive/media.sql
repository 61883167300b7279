-- What media need beside the catalog's tables: made when media are first asked for.

-- The files that events name, by their Matrix addresses. Which of them the archive has is state; all else is found again.
create table media (
    mxc text primary key,                   -- mxc://server/id
    sha256 text,                            -- hexadecimal: its file is media/<2 digits>/<sha256>.<extension>; null: it is not there
    extension text,
    bytes integer,
    lacks text                              -- why it is not there, or not shown: wanted (not looked for yet), not_downloaded, missing,
                                            -- quarantined, too_large, other_type, damaged, preview, avatar; null: it is
) strict, without rowid;

-- Which lines name it.
create table media_name (
    mxc text not null,
    line integer not null,
    avatar integer not null,                -- as an avatar only
    mimetype text,                          -- as the event has it
    sealed integer not null,                -- 1: it is encrypted, and not decrypted yet; 2: it is decrypted; 3: it cannot be; 0: it is not
                                            -- encrypted, or how cannot be read
    primary key (mxc, line)
) strict, without rowid;
create index media_sha256 on media (sha256) where sha256 is not null;
create index media_line on media_name (line);
create index media_sealed on media_name (mxc, line) where sealed = 1;

-- What encrypted ones are: media/decrypted/<2 digits>/<id>.<extension>.
create table media_decrypted (
    id text primary key,                    -- SHA-256 of the encrypted file's SHA-256, the key and the counter, hexadecimal
    mxc text not null,
    extension text not null,
    bytes integer not null
) strict, without rowid;
create index media_decrypted_of on media_decrypted (mxc);

-- Lines up to this one are looked through for names; one row.
create table media_told (
    line integer not null
) strict;
insert into media_told (line) values (0);

-- Of these lines something has changed since.
create table media_again (
    line integer primary key
) strict;

-- What erased events have named.
create table media_released (
    mxc text primary key
) strict, without rowid;

create trigger media_line_changed after update of type, damaged on line
when new.line <= (select line from media_told)
begin
    insert or ignore into media_again (line) values (new.line);
end;

-- The number of a line that is gone may be given again.
create trigger media_line_again after insert on line
when new.line <= (select line from media_told)
begin
    insert or ignore into media_again (line) values (new.line);
end;

create trigger media_line_erased after update of erased on line
when new.erased
begin
    insert or ignore into media_released (mxc) select mxc from media_name where line = new.line;
    delete from media_name where line = new.line;
end;

create trigger media_line_gone after delete on line
begin
    insert or ignore into media_released (mxc) select mxc from media_name where line = old.line;
    delete from media_name where line = old.line;
    delete from media_again where line = old.line;
end;

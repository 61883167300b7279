-- alias($1 alias): the room that a local alias points to; index room_aliases_room_alias_key
select room_id from room_aliases where room_alias = $1::text

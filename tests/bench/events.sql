-- psql -v first=1 -v last=200000 -v total=200000 -v rooms_of=0: events number first … last of a made-up server that has `total` at first,
-- in the tables of testdata/schema. The same numbers make the same events: 300 rooms, whose sizes follow Zipf's law, over a
-- year; PDUs of about 1 KB; 3 % backfilled, 2 % redactions, a few outliers and rejected events, and whoever
-- says something has joined; ids that were never used;
-- 15 % of event_json out of order on the disk. With rooms_of=3 the rooms that it has at first are of three events each, one after
-- the other; what comes later comes to any of them. Room 301 is small: of what there is at first it has 100. A few messages end in 東京タワー,
-- less than sixty in a word that no other has.
\set ON_ERROR_STOP on
set client_min_messages = warning;
create table if not exists made (room integer, depth bigint, n bigint, primary key (room, depth));

create function pg_temp.chance(n bigint, purpose integer) returns double precision language sql immutable
return (hashint8extended(n, purpose) & 4294967295)::double precision / 4294967296;
create function pg_temp.id(n bigint) returns text language sql immutable
return '$' || rtrim(translate(encode(sha256(int8send(n)), 'base64'), '+/', '-_'), '=');

create temp table room_of as
select n, case when :rooms_of = 0 and n % greatest(:total / 100, 1) = 7 then 301
               when :rooms_of = 0 then floor(exp(pg_temp.chance(n, 1) * ln(301)))
               when n <= :total then 1 + (n - 1) / greatest(:rooms_of, 1)
               else 1 + floor(pg_temp.chance(n, 1) * (:total / greatest(:rooms_of, 1))) end::integer as room
  from generate_series(:first::bigint, :last::bigint) n;
insert into made (room, depth, n)
select room, row_number() over (partition by room order by n) + coalesce(deepest, 0), n
  from room_of
  left join (select room, max(depth) as deepest from made group by room) before using (room);
analyze made;
analyze room_of;

create temp table new as
select m.n, m.depth, pg_temp.id(m.n) as event_id, '!room' || m.room || 'AbCdEfGhIjKlMn:example.org' as room_id,
       '@user' || floor(exp(pg_temp.chance(m.n, 2) * ln(501))) || ':example.org' as sender,
       1735689600000 + (m.n * 31536000000 / :total) as ts,
       case when chance < 0.60 then 'message' when chance < 0.64 then 'edit' when chance < 0.74 then 'reply'
            when chance < 0.82 then 'reaction' when chance < 0.90 then 'member' when chance < 0.92 then 'redaction'
            when chance < 0.99 then 'encrypted' else 'topic' end as kind,
       coalesce(pg_temp.id(target.n), pg_temp.id(m.n - 1)) as target,
       substr(repeat('the quick brown fox jumps over the lazy dog, and nobody on this server minds. ', 8),
              1 + (pg_temp.chance(m.n, 4) * 70)::integer, 10 + (pg_temp.chance(m.n, 5) * 390)::integer)
       || case when m.n % greatest(:total / 60, 1) = 3 then ' heliotrope' when m.n % greatest(:total / 2000, 10) = 5 then ' 東京タワー' else '' end as body,
       pg_temp.chance(m.n, 6) < 0.03 as backfilled, pg_temp.chance(m.n, 7) as fate
  from room_of
  join made m using (room, n)
  cross join lateral (select pg_temp.chance(m.n, 3)) c (chance)
  left join made target on target.room = m.room
       and target.depth = m.depth - 1 - (pg_temp.chance(m.n, 8) * 30)::bigint;

-- nobody says anything before being there
create table if not exists joined (room_id text, sender text, primary key (room_id, sender));
update new set kind = 'member'
 where :rooms_of = 0 and n in (select distinct on (room_id, sender) n from new
                                where not exists (select 1 from joined j where (j.room_id, j.sender) = (new.room_id, new.sender))
                                order by room_id, sender, depth);
insert into joined select distinct room_id, sender from new on conflict do nothing;

insert into rooms (room_id, room_version, is_public, creator)
select distinct room_id, '10', false, '@user1:example.org' from new
    on conflict do nothing;

insert into events (topological_ordering, event_id, type, room_id, processed, outlier, depth, origin_server_ts, received_ts,
                    sender, instance_name, stream_ordering, state_key, rejection_reason)
select depth, event_id,
       case kind when 'reaction' then 'm.reaction' when 'member' then 'm.room.member' when 'redaction' then 'm.room.redaction'
            when 'encrypted' then 'm.room.encrypted' when 'topic' then 'm.room.topic' else 'm.room.message' end,
       room_id, true, kind = 'member' and fate < 0.05, depth, ts, ts + 20, sender, 'master',
       case when backfilled then -n else n + n / 50 end,
       case kind when 'member' then sender when 'topic' then '' end, case when fate > 0.9995 then 'auth_error' end
  from new
 order by n;

insert into event_json (event_id, room_id, internal_metadata, json, format_version)
select event_id, room_id, '{"stream_ordering":' || n || ',"historical":false}',
       '{"auth_events":["' || pg_temp.id(-n) || '","' || pg_temp.id(-n - 1) || '"],"content":' ||
       case kind
            when 'message' then '{"body":"' || body || '","msgtype":"m.text"}'
            when 'edit' then '{"body":"* ' || body || '","m.new_content":{"body":"' || body || '","msgtype":"m.text"},'
                 '"m.relates_to":{"event_id":"' || target || '","rel_type":"m.replace"},"msgtype":"m.text"}'
            when 'reply' then '{"body":"' || body || '","format":"org.matrix.custom.html","formatted_body":"<b>' || body ||
                 '</b>","m.relates_to":{"m.in_reply_to":{"event_id":"' || target || '"}},"msgtype":"m.text"}'
            when 'reaction' then '{"m.relates_to":{"event_id":"' || target || '","key":"👍","rel_type":"m.annotation"}}'
            when 'member' then '{"displayname":"User ' || substr(sender, 6, strpos(sender, ':') - 6) || '","membership":"join"}'
            when 'redaction' then '{"reason":"a mistake"}'
            when 'topic' then '{"topic":"' || substr(body, 1, 60) || '"}'
            else '{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"' ||
                 repeat(encode(sha256(int8send(n)), 'hex'), 4) || '","session_id":"s"}' end ||
       ',"depth":' || depth || ',"hashes":{"sha256":"' || substr(pg_temp.id(n + 1), 2) || '"},"origin":"example.org",' ||
       '"origin_server_ts":' || ts || ',"prev_events":["' || pg_temp.id(n - 1) || '"],' ||
       case kind when 'redaction' then '"redacts":"' || target || '",' else '' end ||
       '"room_id":"' || room_id || '","sender":"' || sender || '","signatures":{"example.org":{"ed25519:a_key":"' ||
       substr(pg_temp.id(n + 2), 2) || substr(pg_temp.id(n + 3), 2) || '"}},' ||
       case kind when 'member' then '"state_key":"' || sender || '",' when 'topic' then '"state_key":"",' else '' end ||
       '"type":"' ||
       case kind when 'reaction' then 'm.reaction' when 'member' then 'm.room.member'
            when 'redaction' then 'm.room.redaction' when 'encrypted' then 'm.room.encrypted'
            when 'topic' then 'm.room.topic' else 'm.room.message' end || '","unsigned":{"age_ts":' || ts || '}}', 3
  from new
 order by case when pg_temp.chance(n, 9) < 0.15 then pg_temp.chance(n, 10) * :last else n end;

insert into redactions (event_id, redacts, have_censored, received_ts, recheck)
select event_id, target, false, ts, false from new where kind = 'redaction';
insert into rejections (event_id, reason, last_check) select event_id, 'auth_error', '' from new where fate > 0.9995;
insert into users (name) values ('@user1:example.org') on conflict do nothing;

-- media/remote($1 servers[], $2 media ids[]): what is known of other servers' files; index remote_media_cache_media_origin_media_id_key
select m.media_origin, m.media_id, m.media_type, m.media_length::bigint as media_length, m.filesystem_id,
       m.quarantined_by is not null as quarantined, {sha256} as sha256
  from unnest($1::text[], $2::text[]) w (media_origin, media_id)
  join remote_media_cache m on m.media_origin = w.media_origin and m.media_id = w.media_id

-- media/local($1 media ids[]): what is known of this server's own files; index local_media_repository_media_id_key
select m.media_id, m.media_type, m.media_length::bigint as media_length, m.quarantined_by is not null as quarantined,
       m.url_cache is not null as preview, {sha256} as sha256
  from unnest($1::text[]) w (media_id)
  join local_media_repository m on m.media_id = w.media_id

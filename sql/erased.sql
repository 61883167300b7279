-- erased($1 user ids text[]): which of these users the server has erased; index erased_users_user
select s.user_id
  from unnest($1::text[]) w (user_id)
 cross join lateral (select x.user_id from erased_users x where x.user_id = w.user_id limit 1) s

-- erased_after($1 after user id, $2 rows): the next users whom the server has erased; index erased_users_user
select x.user_id
  from erased_users x
 where x.user_id > $1::text
 order by x.user_id
 limit $2::bigint

-- server_name_by_membership(): the name of this server where `users` cannot be read; any row of local_current_membership
select substr(user_id, strpos(user_id, ':') + 1) as server_name
  from local_current_membership
 where user_id like '@%:%'
 limit 1

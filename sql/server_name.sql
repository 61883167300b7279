-- server_name(): the name of this server, from any of its users; index users_name_key
select substr(name, strpos(name, ':') + 1) as server_name
  from users
 where name like '@%:%'
 limit 1

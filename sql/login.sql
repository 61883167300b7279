-- login(): which PostgreSQL this is, what its clock says, who we are to it, and how this connection is secured;
-- catalogs and functions only
select current_setting('server_version') as server_version,
       (extract(epoch from clock_timestamp()) * 1000)::bigint as now,
       r.rolsuper as superuser, inet_client_addr() is null as local, coalesce(s.ssl, false) as tls, s.version, s.cipher,
       coalesce(inet_client_addr() <<= '127.0.0.0/8' or host(inet_client_addr()) = '::1', false) as loopback
  from pg_roles r
  left join pg_stat_ssl s on s.pid = pg_backend_pid()
 where r.rolname = current_user

-- purge_tasks($1 most): how many purges Synapse has planned, at work, or ended some days ago at most, and when the last was
-- touched; index scheduled_tasks_pkey
select count(*) as purges, max(t."timestamp") as last
  from (select action, "timestamp" from scheduled_tasks order by id limit $1::bigint) t
 where t.action in ('purge_history', 'purge_room', 'shutdown_and_purge_room')

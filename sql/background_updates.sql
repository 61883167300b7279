-- background_updates(): what Synapse still has to do to its tables while it runs; a table of few rows
select update_name from background_updates order by update_name limit 1000

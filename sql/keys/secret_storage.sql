-- keys/secret_storage($1 user): a user's secret storage, and the key of his backup in it; index account_data_uniqueness
select account_data_type as kind, content from account_data
 where user_id = $1::text and account_data_type = 'm.megolm_backup.v1'
union all
select account_data_type, content from account_data
 where user_id = $1::text and account_data_type >= 'm.secret_storage.' and account_data_type < 'm.secret_storage/'

-- keys/bridge_accounts(): the accounts in a bridge's table of sessions; index crypto_megolm_inbound_session_pkey
with recursive account (id) as (
    select min(account_id) from crypto_megolm_inbound_session
    union all
    select (select min(s.account_id) from crypto_megolm_inbound_session s where s.account_id > a.id) from account a where a.id is not null
)
select id as account_id from account where id is not null

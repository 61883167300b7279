-- The table of a mautrix bridge's crypto store that is read, as version 10 of that store (mautrix-python) has it.
create table crypto_megolm_inbound_session (
    account_id text not null,
    session_id character(43) not null,
    sender_key character(43) not null,
    signing_key character(43),
    room_id text not null,
    session bytea,
    forwarding_chains text,
    withheld_code text,
    withheld_reason text,
    constraint crypto_megolm_inbound_session_pkey primary key (account_id, session_id)
);

-- role(): the role of this session, quoted as a GRANT needs it
select quote_ident(current_user)::text as role

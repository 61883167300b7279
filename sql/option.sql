-- option($1 name, $2 value): whether a setting is as the user's connection string asks for, in whatever units; settings only
select current_setting($1::text, true) is not distinct from set_config($1::text, $2::text, true) as holds

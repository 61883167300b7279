-- rooms_of_member($1 user id): the rooms that somebody was ever a member of, or was asked into; index room_memberships_user_id
select distinct m.room_id
  from room_memberships m
 where m.user_id = $1::text
 order by m.room_id

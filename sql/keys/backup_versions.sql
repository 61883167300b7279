-- keys/backup_versions($1 user): the versions of a user's key backup, also those that were deleted; index e2e_room_keys_versions_idx
select version, algorithm, auth_data, etag::text from e2e_room_keys_versions where user_id = $1::text order by version

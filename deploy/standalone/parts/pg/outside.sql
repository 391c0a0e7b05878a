SELECT current_setting('server_version_num')::int,
       current_setting('server_version'),
       rolsuper OR rolcreaterole,
       has_database_privilege(current_database(), 'CREATE')
FROM pg_roles
WHERE rolname = current_user

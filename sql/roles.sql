-- Roles are shared by all databases of a server, so they are made once, by an administrator, and found again later.
-- Each role is made in its own block: two installations that migrate at the same moment must both succeed.
DO $roles$
DECLARE
  role text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('lading roles'));
  FOREACH role IN ARRAY ARRAY['lading_owner', 'lading_api', 'lading_orchestrator', 'lading_auditor'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT', role);
    END IF;
  END LOOP;
END
$roles$;

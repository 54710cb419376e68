-- What a running job lost of ours: egress or the API stayed away. Exactly the names of sql/outcomes.ts.
ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_outcome_check CHECK (outcome IN (
  'succeeded', 'app_temporary', 'bad_input', 'protected_content', 'not_entitled', 'bug',
  'no_manifest', 'unknown_exit', 'oom', 'deadline', 'cancelled', 'handshake_failed',
  'hardening_mismatch', 'killed_outside', 'start_failed', 'image_missing', 'engine_lost',
  'orchestrator_lost', 'services_lost', 'manifest_false'));

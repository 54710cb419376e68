-- More providers, and courses whose folder in Drive many orders share.

ALTER TABLE courses DROP CONSTRAINT courses_provider_check;
ALTER TABLE courses ADD CONSTRAINT courses_provider_check CHECK (provider IN ('manifest', 'hls', 'udemy'));
-- personal: one folder an order. shared: one for all orders of the course; a second order is only let in.
ALTER TABLE courses ADD COLUMN folder text NOT NULL DEFAULT 'personal' CHECK (folder IN ('personal', 'shared'));

-- The job whose upload this one delivers, where that is not its own.
ALTER TABLE jobs ADD COLUMN delivers_job uuid REFERENCES jobs CHECK (delivers_job <> id);
INSERT INTO job_moves_allowed VALUES
  ('enrolling', 'delivering', 'lading_orchestrator'),
  -- The folder was not what it had been.
  ('delivering', 'enrolling', 'lading_orchestrator');
-- The folder of a job is named with its own manifest, or by the claim below with what another job has proven.
CREATE OR REPLACE FUNCTION job_folder_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (NEW.state = 'delivering' AND (OLD.state = 'attempting' OR (OLD.state = 'enrolling' AND NEW.delivers_job IS NOT NULL))) THEN
    RAISE EXCEPTION 'the folder of job % is not named now', NEW.id USING ERRCODE = 'LD001';
  END IF;
  RETURN NEW;
END
$$;

-- The folder of a shared course, and the one job that fills it. Ready once an orchestrator has compared every file with
-- what Drive has; until then nobody else is let in, and nobody else uploads.
CREATE TABLE course_folders (
  course_id  text PRIMARY KEY REFERENCES courses,
  job_id     uuid NOT NULL REFERENCES jobs,
  provider   text NOT NULL,
  source     jsonb NOT NULL,
  folder_id  text,
  ready_at   timestamptz,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((folder_id IS NULL) = (ready_at IS NULL))
);

-- What an enrolled job does next. upload: a container of its own. reused: it is being delivered from the course's folder.
-- wait: another job is filling that folder. not_ours: it is not enrolling, or another task has taken the step since. A folder of another source, or of a job that
-- ended without making it ready, is claimed anew.
CREATE FUNCTION claim_course_folder(claimant uuid, epoch integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  course courses;
  folder course_folders;
BEGIN
  SELECT c.* INTO course FROM jobs j JOIN courses c ON c.id = j.course_id
  WHERE j.id = claimant AND j.state = 'enrolling' AND j.step_epoch = epoch FOR UPDATE OF j;
  IF NOT FOUND THEN RETURN 'not_ours'; END IF;
  UPDATE jobs SET delivers_job = NULL WHERE id = claimant AND delivers_job IS NOT NULL;
  IF course.folder <> 'shared' THEN RETURN 'upload'; END IF;

  INSERT INTO course_folders (course_id, job_id, provider, source)
  VALUES (course.id, claimant, course.provider, course.source) ON CONFLICT (course_id) DO NOTHING;
  SELECT * INTO folder FROM course_folders WHERE course_id = course.id FOR UPDATE;

  IF folder.job_id <> claimant AND folder.provider = course.provider AND folder.source = course.source THEN
    IF folder.ready_at IS NOT NULL THEN
      UPDATE jobs SET state = 'delivering', folder_id = folder.folder_id, delivers_job = folder.job_id,
        next_task_at = now(), task_failures = 0, updated_at = now() WHERE id = claimant;
      RETURN 'reused';
    END IF;
    IF EXISTS (SELECT FROM jobs WHERE id = folder.job_id AND state NOT IN ('completed', 'dead')) THEN RETURN 'wait'; END IF;
  END IF;
  UPDATE course_folders SET job_id = claimant, provider = course.provider, source = course.source, folder_id = NULL,
    ready_at = NULL, claimed_at = now() WHERE course_id = course.id;
  RETURN 'upload';
END
$$;
REVOKE EXECUTE ON FUNCTION claim_course_folder(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_course_folder(uuid, integer) TO lading_orchestrator;

GRANT SELECT ON course_folders TO lading_orchestrator, lading_auditor;
GRANT UPDATE (folder_id, ready_at) ON course_folders TO lading_orchestrator;

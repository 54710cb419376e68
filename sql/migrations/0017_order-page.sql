-- What a customer watches: the download as it goes on, money that came too late or twice, and the place in the queue.

-- Whoever watches an order hears of its download once a second at most, however often the job speaks. A move of the job
-- tells of what was left out here at the end.
ALTER TABLE attempts ADD COLUMN progress_told_at timestamptz;
CREATE FUNCTION progress_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.progress_told_at IS NULL OR clock_timestamp() >= OLD.progress_told_at + interval '1 second' THEN
    NEW.progress_told_at := clock_timestamp();
    PERFORM pg_notify('lading_orders', j.order_id::text) FROM jobs j WHERE j.id = NEW.job_id;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER progress_made BEFORE UPDATE OF progress ON attempts FOR EACH ROW
  WHEN (NEW.progress IS NOT NULL) EXECUTE FUNCTION progress_made();

-- Money that plainly was meant for an order and could not be applied to it.
CREATE INDEX payments_proposed ON payments (proposed_order_id) WHERE proposed_order_id IS NOT NULL;
CREATE FUNCTION money_proposed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_orders', NEW.proposed_order_id::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER money_proposed AFTER INSERT ON payments FOR EACH ROW WHEN (NEW.proposed_order_id IS NOT NULL)
  EXECUTE FUNCTION money_proposed();
CREATE FUNCTION proposal_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_orders', p.proposed_order_id::text)
  FROM payments p WHERE p.event_id = NEW.payment_event_id AND p.proposed_order_id IS NOT NULL;
  RETURN NULL;
END
$$;
CREATE TRIGGER proposal_decided AFTER INSERT ON inbox_decisions FOR EACH ROW WHEN (NEW.payment_event_id IS NOT NULL)
  EXECUTE FUNCTION proposal_decided();

-- How long downloads took lately.
CREATE INDEX attempts_succeeded ON attempts (settled_at) WHERE outcome = 'succeeded';
-- Who stands before a job that has no slot yet.
CREATE INDEX jobs_before_slot ON jobs (fair_tag, created_at, id) WHERE state IN ('paid', 'enrolling', 'enrolled');

-- How much money waits for an operator, as a number for the metrics of an orchestrator, which sees none of it else.
CREATE FUNCTION count_unplaced() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT count(*) FROM payment_inbox
$$;
REVOKE EXECUTE ON FUNCTION count_unplaced() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_unplaced() TO lading_orchestrator;

-- Who shows that number hears that it may have changed, and need not ask while nothing does.
CREATE FUNCTION inbox_may_have_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_jobs', '');
  RETURN NULL;
END
$$;
CREATE TRIGGER inbox_gained AFTER INSERT ON payments FOR EACH ROW
  WHEN (NEW.unplaced_reason IS NOT NULL) EXECUTE FUNCTION inbox_may_have_changed();
CREATE TRIGGER inbox_gained AFTER INSERT ON events_not_understood FOR EACH ROW EXECUTE FUNCTION inbox_may_have_changed();
CREATE TRIGGER inbox_decided AFTER INSERT ON inbox_decisions FOR EACH ROW EXECUTE FUNCTION inbox_may_have_changed();

-- What the shop's own system is told of its orders: outgoing webhooks after Standard Webhooks 1.0.

-- Where to. One row at most; without it nothing is told and nothing is written.
CREATE TABLE shop_endpoint (
  one             boolean PRIMARY KEY DEFAULT true CHECK (one),
  url             text NOT NULL CHECK (length(url) <= 2048 AND url ~ '^https?://'),
  -- Events are still written while it is disabled, and delivered when it is enabled again.
  disabled_at     timestamptz,
  disabled_reason text CHECK (length(disabled_reason) BETWEEN 1 AND 200),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

-- What events are signed with, sealed with a master key. One is current; those before it sign along until their end.
CREATE TABLE shop_secrets (
  id          uuid PRIMARY KEY,
  sealed      bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 29 AND 1024),
  -- Which master key it is sealed with: the beginning of its digest.
  key_id      text NOT NULL CHECK (key_id ~ '^[0-9a-f]{16}$'),
  created_at  timestamptz NOT NULL DEFAULT now(),
  valid_until timestamptz
);
CREATE UNIQUE INDEX shop_secrets_one_current ON shop_secrets ((true)) WHERE valid_until IS NULL;

-- An event is written by the statement that makes it true, and stays as it was written. Its id is the webhook-id of every
-- try. The next try is due at next_try_at; a try that is under way moves it ahead, as a lease.
CREATE TABLE shop_events (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  seq          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  order_id     uuid NOT NULL REFERENCES orders,
  type         text NOT NULL CHECK (type IN ('order.paid', 'order.completed', 'order.failed')),
  body         text NOT NULL CHECK (octet_length(body) <= 16384),
  created_at   timestamptz NOT NULL DEFAULT now(),
  state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
  tries        integer NOT NULL DEFAULT 0,
  -- Of these, made before somebody had it sent again.
  tries_before integer NOT NULL DEFAULT 0,
  next_try_at  timestamptz NOT NULL DEFAULT now(),
  ended_at     timestamptz,
  CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX shop_events_waiting ON shop_events (next_try_at) WHERE state = 'waiting';
CREATE INDEX shop_events_of_order ON shop_events (order_id, seq);
CREATE INDEX shop_events_by_age ON shop_events (created_at, id);

-- Every try: what the shop answered, or why there was no answer.
CREATE TABLE shop_deliveries (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id    uuid NOT NULL REFERENCES shop_events,
  n           integer NOT NULL CHECK (n >= 1),
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer NOT NULL CHECK (duration_ms >= 0),
  status      smallint CHECK (status BETWEEN 100 AND 999),
  error       text CHECK (length(error) BETWEEN 1 AND 200),
  -- The beginning of the answer's body.
  answer      text CHECK (length(answer) <= 512),
  CHECK ((status IS NULL) <> (error IS NULL))
);
CREATE INDEX shop_deliveries_of_event ON shop_deliveries (event_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON shop_deliveries EXECUTE FUNCTION refuse_change();

-- In the transaction that moves the job: what is rolled back was never told, and what is committed cannot be forgotten.
-- A job that died after its customer was let in is completed, as order_status has it; that is told once.
CREATE FUNCTION tell_shop() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  told text;
BEGIN
  IF NOT EXISTS (SELECT FROM shop_endpoint) THEN RETURN NULL; END IF;
  told := CASE WHEN TG_OP = 'INSERT' THEN 'order.paid'
               WHEN NEW.state = 'completed' THEN 'order.completed'
               WHEN EXISTS (SELECT FROM deliveries d WHERE d.job_id = NEW.id AND d.granted_at IS NOT NULL)
               THEN 'order.completed' ELSE 'order.failed' END;
  INSERT INTO shop_events (order_id, type, body)
  SELECT o.id, told,
         json_build_object('type', told,
           'timestamp', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'data', json_strip_nulls(json_build_object('orderId', o.id, 'orderCode', o.code, 'courseId', o.course_id,
             'amountVnd', o.amount_vnd, 'status', substr(told, 7),
             'reason', CASE WHEN told = 'order.failed' THEN NEW.dead_reason END,
             'sequence', (SELECT count(*) + 1 FROM shop_events e WHERE e.order_id = o.id))))::text
  FROM orders o
  WHERE o.id = NEW.order_id
    AND NOT (told = 'order.completed'
             AND EXISTS (SELECT FROM shop_events e WHERE e.order_id = o.id AND e.type = 'order.completed'));
  NOTIFY lading_shop;
  RETURN NULL;
END
$$;
CREATE TRIGGER tell_shop_paid AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION tell_shop();
CREATE TRIGGER tell_shop_ended AFTER UPDATE OF state ON jobs FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state IN ('completed', 'dead')) EXECUTE FUNCTION tell_shop();

-- Somebody set the endpoint, enabled it, or gave it a secret: what waits is looked at.
CREATE FUNCTION shop_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NOTIFY lading_shop;
  RETURN NULL;
END
$$;
CREATE TRIGGER shop_changed AFTER INSERT OR UPDATE ON shop_endpoint FOR EACH STATEMENT EXECUTE FUNCTION shop_changed();
CREATE TRIGGER shop_changed AFTER INSERT ON shop_secrets FOR EACH STATEMENT EXECUTE FUNCTION shop_changed();

-- Once more, under the same webhook-id and with a full budget of tries: by an operator's key, or that of the shop whose
-- order it is about. The API's role may do this and nothing else.
CREATE FUNCTION key_resends_shop_event(by_key uuid, request uuid, event uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  key api_keys;
  before shop_events;
BEGIN
  SELECT * INTO key FROM api_keys k WHERE k.id = by_key AND k.role IN ('operator', 'shop') AND k.expires_at > now();
  IF NOT FOUND THEN RAISE EXCEPTION 'this is no key of an operator or a shop' USING ERRCODE = 'LD004'; END IF;
  SELECT e.* INTO before FROM shop_events e WHERE e.id = event FOR UPDATE;
  IF NOT FOUND OR key.role = 'shop' AND NOT EXISTS (SELECT FROM orders o WHERE o.id = before.order_id AND o.shop = key.name) THEN
    RETURN 'unknown';
  END IF;
  IF before.state = 'waiting' THEN RETURN 'waits_already'; END IF;
  UPDATE shop_events SET state = 'waiting', ended_at = NULL, tries_before = tries, next_try_at = now() WHERE id = event;
  PERFORM record_act(by_key, request, 'shop event resend', event::text,
    jsonb_build_object('state', before.state, 'tries', before.tries), jsonb_build_object('state', 'waiting'));
  NOTIFY lading_shop;
  RETURN 'resent';
END
$$;
REVOKE EXECUTE ON FUNCTION key_resends_shop_event(uuid, uuid, uuid) FROM PUBLIC;

-- Which master key the running job signed with, so that its token is sealed with what that job can open.
ALTER TABLE drive_tokens ADD COLUMN key_id text CHECK (key_id ~ '^[0-9a-f]{16}$');
GRANT INSERT (key_id) ON drive_tokens TO lading_api;
GRANT SELECT (key_id) ON drive_tokens TO lading_orchestrator;

-- Signed calls are forgotten once nothing can come of a replay: its timestamp is out of the window (five minutes to either
-- side) and its attempt is settled, which refuses every call. A few with each call that is remembered, so that an idle
-- installation does nothing and a busy one forgets faster than it remembers.
CREATE INDEX signed_calls_by_age ON signed_calls_seen (seen_at);
CREATE FUNCTION forget_signed_calls() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM signed_calls_seen WHERE webhook_id IN (
    SELECT s.webhook_id FROM signed_calls_seen s JOIN attempts a ON a.id = s.attempt_id
    WHERE s.seen_at < now() - interval '15 minutes' AND a.state = 'settled'
    ORDER BY s.seen_at LIMIT 20 FOR UPDATE OF s SKIP LOCKED);
  RETURN NULL;
END
$$;
CREATE TRIGGER forget_signed_calls AFTER INSERT ON signed_calls_seen FOR EACH STATEMENT
  EXECUTE FUNCTION forget_signed_calls();

GRANT SELECT ON shop_endpoint, shop_secrets, shop_events TO lading_orchestrator;
GRANT UPDATE (state, tries, next_try_at, ended_at) ON shop_events TO lading_orchestrator;
GRANT UPDATE (disabled_at, disabled_reason, updated_at) ON shop_endpoint TO lading_orchestrator;
GRANT INSERT (event_id, n, duration_ms, status, error, answer) ON shop_deliveries TO lading_orchestrator;
GRANT SELECT ON shop_endpoint, shop_events, shop_deliveries TO lading_api, lading_auditor;
GRANT SELECT (id, key_id, created_at, valid_until) ON shop_secrets TO lading_auditor;
GRANT EXECUTE ON FUNCTION key_resends_shop_event(uuid, uuid, uuid) TO lading_api;

-- What is authentic and cannot be understood may be money: it is kept as it came, once, until somebody has looked at it.
CREATE TABLE events_not_understood (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source       text NOT NULL CHECK (source IN ('sepay_webhook', 'sepay_api')),
  problem      text NOT NULL CHECK (problem IN ('not_json', 'not_a_transaction', 'id_reused')),
  wrong_fields text[] NOT NULL DEFAULT '{}',
  raw          bytea NOT NULL CHECK (length(raw) <= 16384),
  digest       bytea NOT NULL GENERATED ALWAYS AS (sha256(raw)) STORED,
  received_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (source, digest)
);

-- SePay tells of a transfer twice, by webhook and in its list, under ids that have nothing in common.
ALTER TABLE payment_events DROP CONSTRAINT payment_events_source_check,
  ADD CONSTRAINT payment_events_source_check CHECK (source IN ('sepay_webhook', 'sepay_api')),
  DROP CONSTRAINT payment_events_auth_mode_check,
  ADD CONSTRAINT payment_events_auth_mode_check CHECK (auth_mode IN ('hmac', 'apikey', 'fetched'));

-- The bank's own number of a transfer; several banks repeat theirs.
ALTER TABLE payments ADD COLUMN reference text NOT NULL DEFAULT '' CHECK (length(reference) <= 100),
  -- Which of the two told first: that of the event.
  ADD COLUMN source text NOT NULL DEFAULT 'sepay_webhook' CHECK (source IN ('sepay_webhook', 'sepay_api')),
  DROP CONSTRAINT payments_unplaced_reason_check,
  ADD CONSTRAINT payments_unplaced_reason_check CHECK (unplaced_reason IN ('outgoing', 'wrong_account', 'no_code',
    'unknown_code', 'several_codes', 'already_paid', 'expired', 'cancelled', 'not_positive', 'possible_repeat'));
CREATE INDEX payments_of_transfer ON payments (source, account_number, amount_vnd, transferred_at);

-- The second telling of a payment. Of each source a payment has one event at most: two equal transfers stay two.
CREATE TABLE payment_twins (
  event_id         bigint PRIMARY KEY REFERENCES payment_events,
  payment_event_id bigint NOT NULL UNIQUE REFERENCES payments
);

-- What a person decided about money that stood unplaced, or about an event that was not understood. Once for each.
CREATE TABLE inbox_decisions (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at                timestamptz NOT NULL DEFAULT clock_timestamp(),
  payment_event_id  bigint UNIQUE REFERENCES payments,
  not_understood_id bigint UNIQUE REFERENCES events_not_understood,
  action            text NOT NULL CHECK (action IN ('assigned', 'refund_recorded', 'ignored')),
  order_id          uuid REFERENCES orders,
  unplaced_reason   text,
  person            text NOT NULL CHECK (length(person) BETWEEN 1 AND 200),
  reason            text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
  CHECK (num_nonnulls(payment_event_id, not_understood_id) = 1),
  CHECK ((action = 'assigned') = (order_id IS NOT NULL)),
  CHECK (action <> 'assigned' OR payment_event_id IS NOT NULL)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inbox_decisions EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_not_understood EXECUTE FUNCTION refuse_change();

-- Everything that waits for an operator. Outgoing transfers are bookkeeping, not waiting money.
CREATE VIEW payment_inbox AS
SELECT 'payment:' || p.event_id AS id, p.recorded_at AS since, p.unplaced_reason AS reason, p.amount_vnd,
       p.account_number, p.content, p.transferred_at, o.code AS proposed_order_code, NULL::text[] AS wrong_fields,
       NULL::bytea AS raw
FROM payments p LEFT JOIN orders o ON o.id = p.proposed_order_id
WHERE p.unplaced_reason IS NOT NULL AND p.direction = 'in'
  AND NOT EXISTS (SELECT FROM inbox_decisions d WHERE d.payment_event_id = p.event_id)
UNION ALL
SELECT 'event:' || e.id, e.received_at, 'not_understood: ' || e.problem, NULL, NULL, NULL, NULL, NULL, e.wrong_fields, e.raw
FROM events_not_understood e
WHERE NOT EXISTS (SELECT FROM inbox_decisions d WHERE d.not_understood_id = e.id);

-- Every transfer of the bank's feed and where its money stands: each in exactly one place.
CREATE VIEW ledger AS
SELECT p.event_id, p.transferred_at, p.account_number, p.direction, p.amount_vnd,
       CASE p.direction WHEN 'in' THEN p.amount_vnd ELSE -p.amount_vnd END AS balance_vnd,
       CASE WHEN p.direction = 'out' THEN 'outgoing' WHEN p.order_id IS NOT NULL THEN 'applied'
            ELSE coalesce(d.action, 'unplaced') END AS stands,
       p.unplaced_reason, o.code AS order_code
FROM payments p LEFT JOIN orders o ON o.id = p.order_id
LEFT JOIN inbox_decisions d ON d.payment_event_id = p.event_id;

-- The only way in which a payment changes after it was recorded, and it leaves who and why behind. The API's role may
-- decide; it may not write into payments.
CREATE FUNCTION decide_payment(event bigint, decision text, to_order uuid, by_person text, because text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  payment payments;
BEGIN
  SELECT * INTO payment FROM payments p WHERE p.event_id = event FOR UPDATE;
  IF NOT FOUND OR payment.direction <> 'in' THEN RETURN 'unknown'; END IF;
  IF payment.unplaced_reason IS NULL OR EXISTS (SELECT FROM inbox_decisions d WHERE d.payment_event_id = event) THEN
    RETURN 'decided_before';
  END IF;
  IF decision = 'assigned' AND payment.amount_vnd <= 0 THEN RETURN 'no_money'; END IF;
  INSERT INTO inbox_decisions (payment_event_id, action, order_id, unplaced_reason, person, reason)
  VALUES (event, decision, to_order, payment.unplaced_reason, by_person, because);
  IF decision = 'assigned' THEN
    UPDATE payments SET order_id = to_order, unplaced_reason = NULL, proposed_order_id = NULL WHERE event_id = event;
  END IF;
  RETURN 'decided';
END
$$;

CREATE FUNCTION dismiss_event(event bigint, by_person text, because text) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH dismissed AS (
    INSERT INTO inbox_decisions (not_understood_id, action, person, reason)
    SELECT e.id, 'ignored', by_person, because FROM events_not_understood e WHERE e.id = event
    ON CONFLICT (not_understood_id) DO NOTHING RETURNING 1
  )
  SELECT CASE WHEN EXISTS (SELECT FROM dismissed) THEN 'decided'
              WHEN EXISTS (SELECT FROM events_not_understood e WHERE e.id = event) THEN 'decided_before'
              ELSE 'unknown' END
$$;
REVOKE EXECUTE ON FUNCTION decide_payment(bigint, text, uuid, text, text), dismiss_event(bigint, text, text) FROM PUBLIC;

-- Who watches an order hears of everything that changes its status: the API's one LISTEN connection.
CREATE FUNCTION order_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_orders', NEW.order_id::text);
  RETURN NULL;
END
$$;
CREATE FUNCTION order_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lading_orders', NEW.id::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER order_written AFTER INSERT OR UPDATE OF cancelled_at ON orders FOR EACH ROW
  EXECUTE FUNCTION order_written();
CREATE TRIGGER order_paid AFTER INSERT OR UPDATE OF order_id ON payments FOR EACH ROW WHEN (NEW.order_id IS NOT NULL)
  EXECUTE FUNCTION order_moved();
CREATE TRIGGER order_moved AFTER INSERT OR UPDATE OF state ON jobs FOR EACH ROW EXECUTE FUNCTION order_moved();

-- When SePay's list is read next, and up to which moment it was read whole. One row, taken by one API process at a time.
CREATE TABLE reconciliation (
  one            boolean PRIMARY KEY DEFAULT true CHECK (one),
  next_at        timestamptz NOT NULL DEFAULT now(),
  -- The list was read whole at this moment.
  complete_at    timestamptz
);
INSERT INTO reconciliation DEFAULT VALUES;
CREATE INDEX orders_by_expiry ON orders (expires_at) WHERE cancelled_at IS NULL;

GRANT SELECT ON events_not_understood, payment_twins, inbox_decisions, payment_inbox, ledger, reconciliation TO lading_api;
GRANT SELECT ON events_not_understood, payment_twins, inbox_decisions, payment_inbox, ledger, reconciliation TO lading_auditor;
GRANT INSERT ON events_not_understood, payment_twins TO lading_api;
GRANT UPDATE (next_at, complete_at) ON reconciliation TO lading_api;
GRANT EXECUTE ON FUNCTION decide_payment(bigint, text, uuid, text, text), dismiss_event(bigint, text, text) TO lading_api;

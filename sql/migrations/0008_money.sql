-- What is authentic and cannot be understood may be money: it is kept as it came, once, until somebody has looked at it.
CREATE TABLE events_not_understood (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source       text NOT NULL CHECK (source IN ('sepay_webhook', 'sepay_api')),
  problem      text NOT NULL CHECK (problem IN ('not_json', 'not_a_transaction', 'id_reused')),
  wrong_fields text[] NOT NULL DEFAULT '{}',
  raw          bytea NOT NULL CHECK (length(raw) <= 16384),
  -- Of what tells it from others.
  digest       bytea NOT NULL CHECK (length(digest) = 32),
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
  -- A payment of the other source that this one may tell of once more.
  ADD COLUMN may_repeat bigint REFERENCES payments,
  DROP CONSTRAINT payments_unplaced_reason_check,
  ADD CONSTRAINT payments_unplaced_reason_check CHECK (unplaced_reason IN ('outgoing', 'wrong_account', 'no_code',
    'unknown_code', 'several_codes', 'already_paid', 'expired', 'cancelled', 'not_positive', 'possible_repeat'));
CREATE INDEX payments_of_transfer ON payments (source, account_number, amount_vnd, transferred_at);

-- The second telling of a payment. Of each source a payment has one event at most: two equal transfers stay two.
CREATE TABLE payment_twins (
  event_id         bigint PRIMARY KEY REFERENCES payment_events,
  payment_event_id bigint NOT NULL UNIQUE REFERENCES payments
);

-- What a person decided about money that stood unplaced, about an event that was not understood (once for each), or about
-- money of an order that it has no use for (as often as there is some).
CREATE TABLE inbox_decisions (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at                timestamptz NOT NULL DEFAULT clock_timestamp(),
  payment_event_id  bigint UNIQUE REFERENCES payments,
  not_understood_id bigint UNIQUE REFERENCES events_not_understood,
  from_order_id     uuid REFERENCES orders,
  -- Of the order's money; a payment is decided as a whole.
  amount_vnd        bigint CHECK (amount_vnd > 0),
  action            text NOT NULL CHECK (action IN ('assigned', 'refund_recorded', 'ignored', 'same_transfer')),
  -- Where it was assigned to.
  order_id          uuid REFERENCES orders CHECK (order_id <> from_order_id),
  -- The payment it tells of once more.
  same_as_event_id  bigint REFERENCES payments CHECK (same_as_event_id <> payment_event_id),
  unplaced_reason   text,
  person            text NOT NULL CHECK (length(person) BETWEEN 1 AND 200),
  reason            text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
  CHECK (num_nonnulls(payment_event_id, not_understood_id, from_order_id) = 1),
  CHECK ((from_order_id IS NOT NULL) = (amount_vnd IS NOT NULL)),
  CHECK ((action = 'assigned') = (order_id IS NOT NULL)),
  CHECK (action = 'ignored' OR not_understood_id IS NULL),
  CHECK ((action = 'same_transfer') = (same_as_event_id IS NOT NULL)),
  CHECK (action <> 'same_transfer' OR payment_event_id IS NOT NULL)
);
CREATE INDEX inbox_decisions_from_order ON inbox_decisions (from_order_id) WHERE from_order_id IS NOT NULL;
CREATE INDEX inbox_decisions_to_order ON inbox_decisions (order_id) WHERE from_order_id IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inbox_decisions EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_not_understood EXECUTE FUNCTION refuse_change();

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

GRANT SELECT ON events_not_understood, payment_twins, inbox_decisions, reconciliation TO lading_api;
GRANT SELECT ON events_not_understood, payment_twins, inbox_decisions, reconciliation TO lading_auditor;
GRANT INSERT ON events_not_understood, payment_twins TO lading_api;
GRANT UPDATE (next_at, complete_at) ON reconciliation TO lading_api;

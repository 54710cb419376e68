-- What stands in an order: what was paid, and what was assigned to it from other orders or taken out again.
CREATE FUNCTION order_paid(of_order uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT (coalesce((SELECT sum(p.amount_vnd) FROM payments p WHERE p.order_id = of_order), 0)
    + coalesce((SELECT sum(d.amount_vnd) FROM inbox_decisions d WHERE d.order_id = of_order AND d.from_order_id IS NOT NULL), 0)
    - coalesce((SELECT sum(d.amount_vnd) FROM inbox_decisions d WHERE d.from_order_id = of_order AND d.action <> 'ignored'), 0)
    )::bigint
$$;

-- Orders whose money is not their amount, or whose job is dead: of the others nothing can be left over. Kept by
-- trigger, so that the inbox need not look at every order there ever was.
CREATE TABLE uneven_orders (order_id uuid PRIMARY KEY REFERENCES orders);
CREATE FUNCTION keep_uneven(of_order uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM orders o WHERE o.id = of_order AND o.amount_vnd <> order_paid(o.id))
     OR EXISTS (SELECT FROM jobs j WHERE j.order_id = of_order AND j.state = 'dead') THEN
    INSERT INTO uneven_orders VALUES (of_order) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM uneven_orders WHERE order_id = of_order;
  END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION keep_uneven(uuid) FROM PUBLIC;
CREATE FUNCTION money_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM keep_uneven(NEW.order_id);
  RETURN NULL;
END
$$;
CREATE FUNCTION money_decided() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM keep_uneven(moved) FROM unnest(ARRAY[NEW.from_order_id, NEW.order_id]) moved WHERE moved IS NOT NULL;
  -- Who watches these orders hears of it.
  PERFORM pg_notify('lading_orders', moved::text) FROM unnest(ARRAY[NEW.from_order_id, NEW.order_id]) moved
  WHERE moved IS NOT NULL;
  RETURN NULL;
END
$$;
CREATE TRIGGER money_moved AFTER INSERT OR UPDATE OF order_id ON payments FOR EACH ROW WHEN (NEW.order_id IS NOT NULL)
  EXECUTE FUNCTION money_moved();
CREATE TRIGGER money_decided AFTER INSERT ON inbox_decisions FOR EACH ROW WHEN (NEW.from_order_id IS NOT NULL)
  EXECUTE FUNCTION money_decided();
CREATE TRIGGER money_of_dead AFTER UPDATE OF state ON jobs FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND 'dead' IN (OLD.state, NEW.state)) EXECUTE FUNCTION money_moved();

-- Money that stands in an order which has no use for it, less what an operator left there: too much, too little by the
-- time it ended, or for a job that is dead and whose course its customer cannot open. A redrive takes it up again.
CREATE VIEW money_left_over AS
SELECT u.order_id, u.code, u.reason, u.since, u.left_over - u.ignored AS amount_vnd
FROM (
  SELECT o.id AS order_id, o.code,
         CASE WHEN j.is_owed THEN CASE j.dead_reason WHEN 'cancelled' THEN 'job_cancelled' ELSE 'job_failed' END
              WHEN j.id IS NOT NULL THEN 'overpaid' WHEN o.cancelled_at IS NOT NULL THEN 'underpaid_cancelled' ELSE 'underpaid_expired' END AS reason,
         CASE WHEN j.id IS NULL OR j.is_owed THEN order_paid(o.id)
              ELSE order_paid(o.id) - o.amount_vnd END AS left_over,
         coalesce((SELECT sum(d.amount_vnd) FROM inbox_decisions d WHERE d.from_order_id = o.id AND d.action = 'ignored'), 0)::bigint
           AS ignored,
         greatest(CASE WHEN j.id IS NULL THEN coalesce(o.cancelled_at, o.expires_at)
                       WHEN j.is_owed THEN j.updated_at ELSE o.created_at END,
                  (SELECT max(p.recorded_at) FROM payments p WHERE p.order_id = o.id),
                  (SELECT max(d.at) FROM inbox_decisions d WHERE d.order_id = o.id)) AS since
  FROM uneven_orders n JOIN orders o ON o.id = n.order_id
  LEFT JOIN (SELECT k.*, k.state = 'dead' AND NOT EXISTS (SELECT FROM deliveries d WHERE d.job_id = k.id AND d.granted_at IS NOT NULL)
                      AS is_owed FROM jobs k) j ON j.order_id = o.id
  WHERE j.id IS NOT NULL OR o.cancelled_at IS NOT NULL OR o.expires_at <= now()
) u
WHERE u.left_over > u.ignored;

-- Everything that waits for an operator. Outgoing transfers are bookkeeping, not waiting money.
CREATE VIEW payment_inbox AS
SELECT 'payment:' || p.event_id AS id, p.recorded_at AS since, p.unplaced_reason AS reason, p.amount_vnd,
       p.account_number, p.content, p.transferred_at, o.code AS proposed_order_code, p.may_repeat, NULL::text[] AS wrong_fields,
       NULL::bytea AS raw
FROM payments p LEFT JOIN orders o ON o.id = p.proposed_order_id
WHERE p.unplaced_reason IS NOT NULL AND p.direction = 'in'
  AND NOT EXISTS (SELECT FROM inbox_decisions d WHERE d.payment_event_id = p.event_id)
UNION ALL
SELECT 'event:' || e.id, e.received_at, 'not_understood: ' || e.problem, NULL, NULL, NULL, NULL, NULL, NULL, e.wrong_fields, e.raw
FROM events_not_understood e
WHERE NOT EXISTS (SELECT FROM inbox_decisions d WHERE d.not_understood_id = e.id)
UNION ALL
SELECT 'order:' || l.code, l.since, l.reason, l.amount_vnd, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM money_left_over l;

-- Every transfer of the bank's feed and where its money stands: each in exactly one place. Where part of what stands in an
-- order was given back, left there, or waits, two lines without a transfer take it from one place to the other.
CREATE VIEW ledger AS
SELECT p.event_id, p.transferred_at, p.account_number, p.direction, p.amount_vnd,
       CASE p.direction WHEN 'in' THEN p.amount_vnd ELSE -p.amount_vnd END AS balance_vnd,
       CASE WHEN p.direction = 'out' THEN 'outgoing' WHEN p.order_id IS NOT NULL THEN 'applied'
            ELSE coalesce(d.action, 'unplaced') END AS stands,
       p.unplaced_reason, o.code AS order_code
FROM payments p LEFT JOIN orders o ON o.id = p.order_id
LEFT JOIN inbox_decisions d ON d.payment_event_id = p.event_id
-- A transfer that was told once more is in the feed once.
WHERE d.action IS DISTINCT FROM 'same_transfer'
UNION ALL
SELECT NULL, NULL, NULL, NULL, m.amount_vnd, side.sign * m.amount_vnd, CASE side.sign WHEN 1 THEN m.stands ELSE 'applied' END,
       m.reason, m.code
FROM (SELECT d.amount_vnd, d.action AS stands, d.unplaced_reason AS reason, o.code
      FROM inbox_decisions d JOIN orders o ON o.id = d.from_order_id WHERE d.action <> 'assigned'
      UNION ALL SELECT l.amount_vnd, 'unplaced', l.reason, l.code FROM money_left_over l) m
CROSS JOIN (VALUES (1), (-1)) side (sign);

-- What an operator's key decides, once. The only ways in which a payment changes after it was recorded; each leaves who and
-- why behind. The API's role may decide; it may write neither payments nor decisions.
CREATE FUNCTION operator_decides_payment(by_key uuid, request uuid, event bigint, decision text, to_order uuid, same_as bigint,
  because text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  person text := operator_named(by_key);
  payment payments;
BEGIN
  -- The other telling too, in a fixed order.
  PERFORM FROM payments p WHERE p.event_id IN (event, same_as) ORDER BY p.event_id FOR UPDATE;
  SELECT * INTO payment FROM payments p WHERE p.event_id = event;
  IF NOT FOUND OR payment.direction <> 'in' THEN RETURN 'unknown'; END IF;
  IF payment.unplaced_reason IS NULL OR EXISTS (SELECT FROM inbox_decisions d WHERE d.payment_event_id = event) THEN
    RETURN 'decided_before';
  END IF;
  IF decision = 'assigned' AND payment.amount_vnd <= 0 THEN RETURN 'no_money'; END IF;
  IF decision = 'same_transfer' THEN
    -- Of each source one telling, and of the same money.
    IF NOT EXISTS (SELECT FROM payments p WHERE p.event_id = same_as AND p.source <> payment.source
                     AND p.account_number = payment.account_number AND p.amount_vnd = payment.amount_vnd AND p.direction = 'in')
       OR EXISTS (SELECT FROM payment_twins t
                  WHERE t.payment_event_id IN (same_as, event) OR t.event_id IN (same_as, event)) THEN
      RETURN 'not_the_same';
    END IF;
    BEGIN
      INSERT INTO payment_twins (event_id, payment_event_id) VALUES (event, same_as);
    EXCEPTION WHEN unique_violation THEN
      -- A telling that came in at this moment is the other one.
      RETURN 'not_the_same';
    END;
  END IF;
  INSERT INTO inbox_decisions (payment_event_id, action, order_id, same_as_event_id, unplaced_reason, person, reason)
  VALUES (event, decision, to_order, same_as, payment.unplaced_reason, person, because);
  IF decision = 'assigned' THEN
    UPDATE payments SET order_id = to_order, unplaced_reason = NULL, proposed_order_id = NULL WHERE event_id = event;
  END IF;
  PERFORM record_act(by_key, request, 'inbox ' || decision, 'payment:' || event,
    jsonb_build_object('waits', payment.unplaced_reason, 'amountVnd', payment.amount_vnd),
    jsonb_strip_nulls(jsonb_build_object('decision', decision, 'because', because, 'sameAs', 'payment:' || same_as,
      'order', (SELECT o.code FROM orders o WHERE o.id = to_order))));
  RETURN 'decided';
END
$$;

-- All that is left over in an order, `amount` of it: more or less by now, and nothing is decided. The caller holds the locks
-- of the orders.
CREATE FUNCTION operator_decides_left_over(by_key uuid, request uuid, of_order uuid, amount bigint, decision text, to_order uuid,
  because text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  person text := operator_named(by_key);
  waits money_left_over;
BEGIN
  PERFORM FROM orders o WHERE o.id IN (of_order, to_order) ORDER BY o.id FOR UPDATE;
  -- A redrive at the same moment finds the money gone, or takes it first.
  PERFORM FROM jobs j WHERE j.order_id = of_order FOR UPDATE;
  SELECT * INTO waits FROM money_left_over l WHERE l.order_id = of_order;
  IF NOT FOUND THEN RETURN 'decided_before'; END IF;
  IF waits.amount_vnd <> amount THEN RETURN 'amount_changed'; END IF;
  IF decision NOT IN ('assigned', 'refund_recorded', 'ignored') OR to_order = of_order THEN RETURN 'not_possible'; END IF;
  INSERT INTO inbox_decisions (from_order_id, amount_vnd, action, order_id, unplaced_reason, person, reason)
  VALUES (of_order, waits.amount_vnd, decision, to_order, waits.reason, person, because);
  PERFORM record_act(by_key, request, 'inbox ' || decision, 'order:' || waits.code,
    jsonb_build_object('waits', waits.reason, 'amountVnd', waits.amount_vnd),
    jsonb_strip_nulls(jsonb_build_object('decision', decision, 'because', because,
      'order', (SELECT o.code FROM orders o WHERE o.id = to_order))));
  RETURN 'decided';
END
$$;

CREATE FUNCTION operator_dismisses_event(by_key uuid, request uuid, event bigint, because text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  person text := operator_named(by_key);
BEGIN
  INSERT INTO inbox_decisions (not_understood_id, action, person, reason)
  SELECT e.id, 'ignored', person, because FROM events_not_understood e WHERE e.id = event
  ON CONFLICT (not_understood_id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN CASE WHEN EXISTS (SELECT FROM events_not_understood e WHERE e.id = event) THEN 'decided_before' ELSE 'unknown' END;
  END IF;
  PERFORM record_act(by_key, request, 'inbox ignored', 'event:' || event, jsonb_build_object('waits', 'not_understood'),
    jsonb_build_object('decision', 'ignored', 'because', because));
  RETURN 'decided';
END
$$;

REVOKE EXECUTE ON FUNCTION operator_decides_payment(uuid, uuid, bigint, text, uuid, bigint, text),
  operator_decides_left_over(uuid, uuid, uuid, bigint, text, uuid, text), operator_dismisses_event(uuid, uuid, bigint, text)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION operator_decides_payment(uuid, uuid, bigint, text, uuid, bigint, text),
  operator_decides_left_over(uuid, uuid, uuid, bigint, text, uuid, text), operator_dismisses_event(uuid, uuid, bigint, text)
  TO lading_api;
GRANT SELECT ON uneven_orders, money_left_over, payment_inbox, ledger TO lading_api, lading_auditor;

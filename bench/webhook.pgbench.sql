-- What the API asks of Postgres for one webhook that pays an order in full: the statements of sql/payments.ts,
-- sql/jobs.ts and sql/tasks.ts, in their order, with the n-th order of this client.
\set i :i + 1
\set n :base + :client_id * 100000 + :i
BEGIN;
INSERT INTO payment_events (source, external_id, body, auth_mode)
  SELECT 'sepay_webhook', (:n)::text,
         -- pgbench would take what follows a colon for a variable.
         replace('{"id"=' || :n || ',"gateway"="MBBank","transactionDate"="2026-01-01 07.00.00","accountNumber"="0123456789","subAccount"=null,"code"=null,"content"="chuyen tien","transferType"="in","description"="BankAPINotify","transferAmount"=499000,"accumulated"=0,"referenceCode"="FT26001000001"}', '=', ':')::jsonb,
         'hmac'
  FROM pg_advisory_xact_lock_shared(hashtext('lading transfers'))
  ON CONFLICT (source, external_id) DO NOTHING RETURNING id AS event_id \gset
SELECT p.event_id AS twin, p.reference, p.content, p.transferred_at
  FROM payments p
  WHERE p.source = 'sepay_api' AND p.transferred_at BETWEEN now() - interval '600 s' AND now() + interval '600 s'
    AND p.account_number = '0123456789' AND p.amount_vnd = 499000 AND p.direction = 'in'
    AND NOT EXISTS (SELECT FROM payment_twins t WHERE t.payment_event_id = p.event_id)
    AND NOT EXISTS (SELECT FROM payment_twins t WHERE t.event_id = p.event_id)
  ORDER BY p.transferred_at <> now(), p.reference <> 'FT26001000001', abs(extract(epoch FROM p.transferred_at - now())),
    p.event_id LIMIT 200;
SELECT FROM orders WHERE code = ANY (ARRAY['LD' || translate(lpad((:n)::text, 10, '0'), '01', 'AB')]) ORDER BY id FOR UPDATE;
SELECT o.id AS order_id, o.code, o.course_id, o.amount_vnd, o.expires_at, o.cancelled_at IS NOT NULL AS cancelled,
       least(order_paid(o.id), 9007199254740991) AS paid_vnd,
       EXISTS (SELECT FROM jobs j WHERE j.order_id = o.id) AS has_job
  FROM orders o WHERE o.code = ANY (ARRAY['LD' || translate(lpad((:n)::text, 10, '0'), '01', 'AB')]) ORDER BY o.id LIMIT 10 \gset
INSERT INTO payments (event_id, direction, amount_vnd, account_number, content, transferred_at, order_id,
                      unplaced_reason, proposed_order_id, may_repeat, reference, source)
  VALUES (:event_id, 'in', 499000, '0123456789', 'chuyen tien', now(), (:order_id)::uuid, NULL, NULL, NULL, 'FT26001000001',
          'sepay_webhook');
SELECT pg_advisory_xact_lock(hashtext('lading customer'), hashtext(lower(email))) FROM orders WHERE id = (:order_id)::uuid;
INSERT INTO jobs (order_id, course_id, customer, priority, fair_tag)
  SELECT o.id, c.id, lower(o.email), coalesce(NULL::int, c.priority),
         greatest((SELECT fair_tag FROM dispatch_clock),
                  (SELECT max(j.fair_tag - j.priority * 100) + 1 FROM jobs j
                   WHERE j.customer = lower(o.email) AND j.state IN ('paid', 'enrolling', 'enrolled')))
           + coalesce(NULL::int, c.priority) * 100
  FROM orders o JOIN courses c ON c.id = 'bench' WHERE o.id = (:order_id)::uuid
  ON CONFLICT (order_id) DO NOTHING RETURNING id, order_id, course_id, state, attempts_started, attempts_spent, losses,
    task_failures, step_epoch, profile, folder_id;
SELECT enqueue_task('enrol', id) FROM jobs WHERE order_id = (:order_id)::uuid;
COMMIT;

-- Forward only. Owner: lading_owner. Money is whole dong; times are timestamptz by this database's clock.

CREATE TABLE courses (
  id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  title       text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  price_vnd   bigint NOT NULL CHECK (price_vnd BETWEEN 1000 AND 500000000),
  provider    text NOT NULL CHECK (provider IN ('manifest')),
  -- What the provider needs to find the course; its shape is the provider's. Holds names of secrets, never secrets.
  source      jsonb NOT NULL,
  profile     text NOT NULL DEFAULT 'standard',
  listed      boolean NOT NULL DEFAULT true,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now()
);

-- The right to deliver a course. Without a row here a course cannot be ordered: the foreign key of orders says so.
CREATE TABLE course_rights (
  course_id   text PRIMARY KEY REFERENCES courses,
  kind        text NOT NULL CHECK (kind IN ('own', 'licensed', 'open')),
  -- A URL, or the digest of a document: sha256:<64 hex>.
  evidence    text NOT NULL CHECK (evidence ~ '^(https://\S+|sha256:[0-9a-f]{64})$'),
  recorded_by text NOT NULL CHECK (length(recorded_by) BETWEEN 1 AND 200),
  recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- What the customer writes into the transfer. Letters and digits that are not mistaken for one another.
  code            text NOT NULL UNIQUE CHECK (code ~ '^LD[2-9A-HJKMNP-TW-Z]{10}$'),
  course_id       text NOT NULL REFERENCES course_rights (course_id),
  email           text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  amount_vnd      bigint NOT NULL CHECK (amount_vnd > 0),
  idempotency_key_digest bytea NOT NULL UNIQUE CHECK (length(idempotency_key_digest) = 32),
  request_digest  bytea NOT NULL CHECK (length(request_digest) = 32),
  created_at      timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,
  cancelled_at    timestamptz,
  CHECK (expires_at > created_at)
);

-- One webhook as received. A repeat changes nothing: (source, external_id) is unique.
CREATE TABLE payment_events (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source       text NOT NULL CHECK (source IN ('sepay_webhook')),
  external_id  text NOT NULL,
  body         jsonb NOT NULL,
  auth_mode    text NOT NULL CHECK (auth_mode IN ('hmac', 'apikey')),
  received_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (source, external_id)
);

-- Every dong that came in is applied to an order or stands unplaced with a reason: never both, never neither.
CREATE TABLE payments (
  event_id          bigint PRIMARY KEY REFERENCES payment_events,
  direction         text NOT NULL CHECK (direction IN ('in', 'out')),
  amount_vnd        bigint NOT NULL CHECK (amount_vnd >= 0),
  account_number    text NOT NULL,
  content           text NOT NULL,
  transferred_at    timestamptz NOT NULL,
  order_id          uuid REFERENCES orders,
  unplaced_reason   text CHECK (unplaced_reason IN ('outgoing', 'wrong_account', 'no_code', 'unknown_code',
                      'several_codes', 'already_paid', 'expired', 'cancelled', 'not_positive')),
  -- What an operator would most likely do with unplaced money.
  proposed_order_id uuid REFERENCES orders,
  recorded_at       timestamptz NOT NULL DEFAULT now(),
  CHECK ((order_id IS NULL) <> (unplaced_reason IS NULL)),
  CHECK (order_id IS NULL OR (direction = 'in' AND amount_vnd > 0))
);
CREATE INDEX payments_of_order ON payments (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX payments_unplaced ON payments (recorded_at) WHERE unplaced_reason IS NOT NULL;

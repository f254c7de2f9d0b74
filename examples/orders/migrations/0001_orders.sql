-- +goose Up
CREATE TABLE orders (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

-- One row for each Idempotency-Key until it expires.
CREATE TABLE order_idempotency_keys (
    key           text PRIMARY KEY,
    body_hash     bytea NOT NULL,
    created_order jsonb NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX ON order_idempotency_keys (expires_at);

-- +goose Down
DROP TABLE order_idempotency_keys;
DROP TABLE orders;

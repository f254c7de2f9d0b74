-- +goose Up
CREATE TABLE orders (
    id              uuid PRIMARY KEY,
    name            text NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint NOT NULL,
    idempotency_key text UNIQUE
);

-- +goose Down
DROP TABLE orders;

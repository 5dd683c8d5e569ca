-- +goose Up
CREATE TABLE outbox (
    queue    TEXT   NOT NULL,
    id       TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    made_at  BIGINT NOT NULL,
    due_at   BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    state    TEXT   NOT NULL,
    note     TEXT   NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (queue, id)
);
CREATE INDEX outbox_due ON outbox (queue, state, due_at);

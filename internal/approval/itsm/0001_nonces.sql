-- +goose Up
CREATE TABLE itsm_nonces (
    system   TEXT   NOT NULL,
    nonce    TEXT   NOT NULL,
    digest   TEXT   NOT NULL,
    seen_at  BIGINT NOT NULL,
    decision TEXT   NOT NULL,
    PRIMARY KEY (system, nonce)
);
CREATE INDEX itsm_nonces_seen ON itsm_nonces (seen_at);

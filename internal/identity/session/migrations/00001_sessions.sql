-- +goose Up
CREATE TABLE identity_sessions (
  id       TEXT   NOT NULL PRIMARY KEY,
  digest   TEXT   NOT NULL UNIQUE,
  person   TEXT   NOT NULL,
  provider TEXT   NOT NULL,
  login    TEXT   NOT NULL,
  vouched  TEXT   NOT NULL,
  address  TEXT   NOT NULL,
  agent    TEXT   NOT NULL,
  purpose  TEXT   NOT NULL,
  parent   TEXT   NOT NULL,
  created  BIGINT NOT NULL,
  seen     BIGINT NOT NULL,
  expires  BIGINT NOT NULL,
  ended    BIGINT NOT NULL
);
CREATE INDEX identity_sessions_person ON identity_sessions (person, created);
CREATE INDEX identity_sessions_parent ON identity_sessions (parent);
CREATE INDEX identity_sessions_expires ON identity_sessions (expires);
CREATE TABLE identity_tokens (
  id       TEXT   NOT NULL PRIMARY KEY,
  digest   TEXT   NOT NULL UNIQUE,
  person   TEXT   NOT NULL,
  name     TEXT   NOT NULL,
  vouched  TEXT   NOT NULL,
  provider TEXT   NOT NULL,
  scope    TEXT   NOT NULL,
  address  TEXT   NOT NULL,
  created  BIGINT NOT NULL,
  seen     BIGINT NOT NULL,
  expires  BIGINT NOT NULL,
  ended    BIGINT NOT NULL
);
CREATE INDEX identity_tokens_person ON identity_tokens (person, created);

-- +goose Down
DROP TABLE identity_tokens;
DROP TABLE identity_sessions;

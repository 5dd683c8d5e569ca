-- +goose Up
CREATE TABLE identity_accounts (
  name       TEXT   NOT NULL PRIMARY KEY,
  person     TEXT   NOT NULL,
  password   TEXT   NOT NULL,
  totp       TEXT   NOT NULL,
  totp_ready BIGINT NOT NULL,
  totp_step  BIGINT NOT NULL,
  invite     TEXT   NOT NULL,
  invited    BIGINT NOT NULL,
  closed     BIGINT NOT NULL,
  created    BIGINT NOT NULL,
  changed    BIGINT NOT NULL
);
CREATE INDEX identity_accounts_invite ON identity_accounts (invite);

-- +goose Down
DROP TABLE identity_accounts;

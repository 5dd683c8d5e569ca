-- +goose Up
CREATE TABLE identity_attempts (
  what     TEXT   NOT NULL PRIMARY KEY,
  failures BIGINT NOT NULL,
  last     BIGINT NOT NULL
);
CREATE INDEX identity_attempts_last ON identity_attempts (last);

-- +goose Down
DROP TABLE identity_attempts;

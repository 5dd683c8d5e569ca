-- +goose Up
CREATE TABLE approval_logins (
  session TEXT   NOT NULL PRIMARY KEY,
  person  TEXT   NOT NULL,
  began   BIGINT NOT NULL,
  seen    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE approval_logins;

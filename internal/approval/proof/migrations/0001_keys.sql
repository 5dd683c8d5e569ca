-- +goose Up
CREATE TABLE approval_proof_keys (
  id     TEXT   NOT NULL PRIMARY KEY,
  sealed TEXT   NOT NULL,
  made   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE approval_proof_keys;

-- +goose Up
CREATE TABLE instances (
  cluster     TEXT    NOT NULL,
  uid         TEXT    NOT NULL,
  namespace   TEXT    NOT NULL,
  application TEXT    NOT NULL,
  component   TEXT    NOT NULL,
  seat        TEXT    NOT NULL,
  number      INTEGER NOT NULL,
  ip          TEXT    NOT NULL,
  dcn         TEXT    NOT NULL,
  datacenter  TEXT    NOT NULL,
  zone        TEXT    NOT NULL,
  rack        TEXT    NOT NULL,
  host        TEXT    NOT NULL,
  pool        TEXT    NOT NULL,
  revision    TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  restarts    INTEGER NOT NULL,
  created     TEXT    NOT NULL,
  simulated   INTEGER NOT NULL,
  pod         TEXT    NOT NULL,
  image       TEXT    NOT NULL,
  ready       INTEGER NOT NULL,
  message     TEXT    NOT NULL,
  podnamespace TEXT   NOT NULL,
  PRIMARY KEY (cluster, uid)
) WITHOUT ROWID;
CREATE INDEX instances_by_name ON instances (namespace, application, component, number, cluster, uid);
CREATE TABLE members (
  cluster TEXT PRIMARY KEY,
  seen    TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE members;
DROP TABLE instances;

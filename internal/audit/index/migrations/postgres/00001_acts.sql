-- +goose Up
CREATE TABLE audit_acts (
  place         BIGINT PRIMARY KEY, -- when it began, in an order without ties
  number        BIGINT NOT NULL,    -- of its intent in the log
  ended_at      BIGINT NOT NULL,    -- of its outcome in the log; -1: none yet
  source        TEXT    NOT NULL,
  seq           BIGINT NOT NULL,
  began         BIGINT NOT NULL,    -- microseconds since 1970
  ended         BIGINT NOT NULL,
  room          TEXT    NOT NULL,
  verb          TEXT    NOT NULL,
  person        TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  namespace     TEXT    NOT NULL,    -- of the subject
  name          TEXT    NOT NULL,
  scope         TEXT    NOT NULL,    -- the namespace whose people may read it
  cluster       TEXT    NOT NULL,
  environment   TEXT    NOT NULL,
  origin        TEXT    NOT NULL,
  class         TEXT    NOT NULL,
  application   TEXT    NOT NULL,
  released      TEXT    NOT NULL,
  approval      TEXT    NOT NULL,
  verdict       TEXT    NOT NULL,
  reason        TEXT    NOT NULL,
  ticket        TEXT    NOT NULL,
  before_digest TEXT    NOT NULL,
  after_digest  TEXT    NOT NULL,
  details       TEXT    NOT NULL,
  trace         TEXT    NOT NULL,
  result        TEXT    NOT NULL,
  message       TEXT    NOT NULL,
  words         TSVECTOR NOT NULL
);
CREATE UNIQUE INDEX audit_acts_number      ON audit_acts (number);
CREATE UNIQUE INDEX audit_acts_source      ON audit_acts (source, seq);
CREATE INDEX        audit_acts_room        ON audit_acts (room, place);
CREATE INDEX        audit_acts_verb        ON audit_acts (verb, place);
CREATE INDEX        audit_acts_person      ON audit_acts (person, place);
CREATE INDEX        audit_acts_name        ON audit_acts (name, namespace, kind, place);
CREATE INDEX        audit_acts_kind        ON audit_acts (kind, place);
CREATE INDEX        audit_acts_scope       ON audit_acts (scope, place);
CREATE INDEX        audit_acts_cluster     ON audit_acts (cluster, place)     WHERE cluster     <> '';
CREATE INDEX        audit_acts_environment ON audit_acts (environment, place) WHERE environment <> '';
CREATE INDEX        audit_acts_origin      ON audit_acts (origin, place)      WHERE origin      <> '';
CREATE INDEX        audit_acts_class       ON audit_acts (class, place);
CREATE INDEX        audit_acts_application ON audit_acts (application, place) WHERE application <> '';
CREATE INDEX        audit_acts_released    ON audit_acts (released, place)    WHERE released    <> '';
CREATE INDEX        audit_acts_approval    ON audit_acts (approval, place)    WHERE approval    <> '';
CREATE INDEX        audit_acts_ticket      ON audit_acts (ticket, place)      WHERE ticket      <> '';
CREATE INDEX        audit_acts_trace       ON audit_acts (trace, place)       WHERE trace       <> '';
CREATE INDEX        audit_acts_result      ON audit_acts (result, place);
-- The words are made by the index itself; the engine only finds them.
CREATE INDEX audit_acts_words ON audit_acts USING gin (words);
CREATE TABLE audit_kin (
  parent TEXT NOT NULL,
  child  TEXT NOT NULL,
  PRIMARY KEY (parent, child)
);
CREATE TABLE audit_scopes (scope TEXT PRIMARY KEY);
CREATE TABLE audit_position (
  id   BIGINT PRIMARY KEY,
  next BIGINT NOT NULL, -- of the record to read next
  last TEXT    NOT NULL  -- digest of the record before it
);
INSERT INTO audit_position (id, next, last) VALUES (1, 0, '');

-- +goose Down
DROP TABLE audit_position;
DROP TABLE audit_scopes;
DROP TABLE audit_kin;
DROP TABLE audit_acts;

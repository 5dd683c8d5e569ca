-- +goose Up
CREATE TABLE inventory (
    namespace   TEXT   NOT NULL,
    application TEXT   NOT NULL,
    component   TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    dcn         TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    gone        BIGINT NOT NULL,
    since       BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    PRIMARY KEY (namespace, application, component, number)
);
CREATE UNIQUE INDEX inventory_sequence ON inventory (sequence);
CREATE INDEX inventory_of_application ON inventory (namespace, application, sequence);
CREATE TABLE inventory_clock (
    epoch    TEXT   NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL
);
CREATE TABLE inventory_heads (
    namespace   TEXT   NOT NULL,
    application TEXT   NOT NULL,
    head        BIGINT NOT NULL,
    PRIMARY KEY (namespace, application)
);
CREATE TABLE inventory_published (
    receiver    TEXT   NOT NULL,
    namespace   TEXT   NOT NULL,
    application TEXT   NOT NULL,
    sequence    BIGINT NOT NULL,
    outgoing    TEXT   NOT NULL,
    through     BIGINT NOT NULL,
    PRIMARY KEY (receiver, namespace, application)
);
CREATE TABLE inventory_receivers (
    receiver   TEXT   NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL
);

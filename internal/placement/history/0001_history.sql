-- +goose Up
CREATE TABLE placement_history (
    pool      TEXT   NOT NULL,
    day       BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    cpu       BIGINT NOT NULL,
    memory    BIGINT NOT NULL,
    instances BIGINT NOT NULL,
    PRIMARY KEY (day, pool)
);

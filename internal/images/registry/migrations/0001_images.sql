-- +goose Up
-- What registries said of images. What a digest stands for never changes, so a row stays true;
-- "used" is when it was asked for last, to a day, and says which rows go when there are many.
CREATE TABLE images_facts (
  image         TEXT   NOT NULL PRIMARY KEY,
  reading       BIGINT NOT NULL,
  account       TEXT   NOT NULL,
  architectures TEXT   NOT NULL,
  used          BIGINT NOT NULL
);
CREATE INDEX images_facts_used ON images_facts (used);

-- +goose Down
DROP TABLE images_facts;

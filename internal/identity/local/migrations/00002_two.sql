-- +goose Up
-- An invitation that two people hand over: each has one code. The columns hold who they are, the digest of
-- the second one's code, and the amendment by which the account was offered.
ALTER TABLE identity_accounts ADD COLUMN invite_second TEXT NOT NULL DEFAULT '';
ALTER TABLE identity_accounts ADD COLUMN inviter TEXT NOT NULL DEFAULT '';
ALTER TABLE identity_accounts ADD COLUMN inviter_second TEXT NOT NULL DEFAULT '';
ALTER TABLE identity_accounts ADD COLUMN amendment TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE identity_accounts DROP COLUMN amendment;
ALTER TABLE identity_accounts DROP COLUMN inviter_second;
ALTER TABLE identity_accounts DROP COLUMN inviter;
ALTER TABLE identity_accounts DROP COLUMN invite_second;

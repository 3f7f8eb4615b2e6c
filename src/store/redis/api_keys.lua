-- Stands before the scripts about a person's API keys, which are one hash: under each key's name
-- { created, ends, revoked and used if it is, hash, body = sealed }. What a later release puts beside
-- these stays where it is. The hash is kept for ever: a key that was revoked must not be new again.
local function counts(key, now) return not key.revoked and now < key.ends end

-- Keeps a ring of signing keys in place of the version that the caller has seen.
-- KEYS[1] the signing keys; ARGV: version seen ('0' for none), version of the ring, sealed ring.
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'ring', ARGV[3])
return 1

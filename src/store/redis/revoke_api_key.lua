-- Revokes an API key, for ever. Since when it is revoked; 0: there is none.
-- KEYS[1] the person's keys; ARGV: now, name.
local kept = redis.call('HGET', KEYS[1], ARGV[2])
if not kept then return 0 end
local key = cmsgpack.unpack(kept)
if not key.revoked then
  key.revoked = tonumber(ARGV[1])
  redis.call('HSET', KEYS[1], ARGV[2], cmsgpack.pack(key))
end
return key.revoked

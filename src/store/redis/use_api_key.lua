-- Notes that an API key was used: not more often than it is to be, and never back.
-- KEYS[1] the person's keys; ARGV: now, how often, name, hash, sealed body as it was read, and anew.
local kept = redis.call('HGET', KEYS[1], ARGV[3])
if not kept then return 0 end
local now, key = tonumber(ARGV[1]), cmsgpack.unpack(kept)
if key.used and now < key.used + tonumber(ARGV[2]) then return 0 end
key.used, key.hash = now, ARGV[4]
if key.body == ARGV[5] then key.body = ARGV[6] end
redis.call('HSET', KEYS[1], ARGV[3], cmsgpack.pack(key))
return 1

-- Pins an address, unless it is pinned; answers to whom.
-- KEYS[1] the pin; ARGV: the person.
local pinned = redis.call('GET', KEYS[1])
if pinned then return pinned end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]

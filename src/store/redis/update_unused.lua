-- Puts what a client says about itself now in place of what it said, if nobody has used it; its end stays.
-- KEYS: the clients; ARGV: name, body. Each field holds "end body".
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if not kept then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.match(kept, '^%d* ') .. ARGV[2])
return 1

-- Takes a client out of those that nobody has used; answers what was kept of it, if it was among them.
-- KEYS: the clients, their order; ARGV: name.
local kept = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return kept

-- Forgets a client's own record, and ends a first use that is under way: it looks again. Answers whether the
-- client was used.
-- KEYS[1] the client; ARGV: 'any', or 'unused' to leave one that is used.
local used = redis.call('HGET', KEYS[1], 'exp') and 1 or 0
if used == 0 or ARGV[1] == 'any' then redis.call('DEL', KEYS[1]) end
return used

-- Frees a place where what the caller has seen still stands.
-- KEYS[1] a place; ARGV: the body seen.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])

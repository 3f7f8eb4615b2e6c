-- Puts another body in place of the one that the caller has seen; its lifetime stays.
-- KEYS[1] a place; ARGV: the body seen, the body.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1

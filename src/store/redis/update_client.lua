-- Puts what a client says about itself now in place of what it said, if it is used; else ends a first use
-- that is under way: it looks again.
-- KEYS[1] the client; ARGV: body.
if not redis.call('HGET', KEYS[1], 'exp') then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('HSET', KEYS[1], 'body', ARGV[1])
return 1

-- Puts what a client says about itself now in place of what it said, if it is there.
-- KEYS[1] the client; ARGV: body.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'body', ARGV[1])
return 1

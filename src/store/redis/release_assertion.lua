-- Takes back that a request has used an assertion.
-- KEYS[1] the mark; ARGV: the request.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0

-- Marks a client's assertion as used; answers whether this was the first time.
-- KEYS[1] the mark; ARGV: now, the end of the assertion, the request.
if not redis.call('SET', KEYS[1], ARGV[3], 'NX') then return 0 end
collect_after(KEYS[1], ARGV[2], ARGV[1])
return 1

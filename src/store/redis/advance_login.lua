-- Moves a sign-in on, if it is still at the step that the caller read.
-- KEYS[1] the login; ARGV: now, from (ordinal), to (ordinal), end, sealed body.
local step, ends = unpack(redis.call('HMGET', KEYS[1], 'step', 'exp'))
if not step or not ends or step ~= ARGV[2] or not less(ARGV[1], ends) then return 0 end
redis.call('HSET', KEYS[1], 'step', ARGV[3], 'exp', ARGV[4], 'body', ARGV[5])
collect_after(KEYS[1], ARGV[4], ARGV[1])
return 1

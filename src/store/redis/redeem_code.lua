-- Redeems a code: the same decision as `Grant::redeem` (SEC-078, SEC-165).
-- KEYS[1] the grant; ARGV: now, digest of the code, idle end.
local exp, ends, code, gen = unpack(redis.call('HMGET', KEYS[1], 'exp', 'ends', 'code', 'gen'))
if not exp or not ends or not gen or code ~= ARGV[2] then return 'gone' end
if not less(ARGV[1], exp) or not less(ARGV[1], ends) then return 'gone' end
if gen ~= '0' then return 'again' end
exp = ARGV[3]
if less(ends, exp) then exp = ends end
redis.call('HSET', KEYS[1], 'gen', '1', 'rot', ARGV[1], 'exp', exp)
collect_after(KEYS[1], exp, ARGV[1])
return 'redeemed'

-- Takes requests out of a window; answers how many, and how many are taken in all.
-- KEYS[1] the counter; ARGV: how many at most, the quota, the end of the window, now.
local taken = tonumber(redis.call('GET', KEYS[1]) or '0')
local some = math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - taken)
if some <= 0 then return {0, taken} end
redis.call('INCRBY', KEYS[1], some)
if taken == 0 then collect_after(KEYS[1], ARGV[3], ARGV[4]) end
return {some, taken + some}

-- Moves the idle end of a browser session that is not over; never back, never beyond its end.
-- KEYS[1] the person's browser sessions; ARGV: now, name, idle end.
local now, kept = tonumber(ARGV[1]), redis.call('HGET', KEYS[1], ARGV[2])
local session = kept and cmsgpack.unpack(kept)
if not session or over(session) <= now or tonumber(ARGV[3]) <= session.over then return 0 end
session.over = math.min(tonumber(ARGV[3]), session.ends)
redis.call('HSET', KEYS[1], ARGV[2], cmsgpack.pack(session))
keep_until(KEYS[1], over(session), now)
return 1

-- Makes a client a used one, if its first use is still under way.
-- KEYS[1] the client; ARGV: the name of the first use, when the client registered, its end ('' for never), body.
if redis.call('HGET', KEYS[1], 'begun') ~= ARGV[1] then return 0 end
-- A Redis that is full refuses the first write of a script, or none. DEL would not be refused.
redis.call('HSET', KEYS[1], 'exp', ARGV[3], 'body', ARGV[4])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'exp', ARGV[3], 'body', ARGV[4])
-- From its registration: too long a life in Redis does no harm, and what stands at its place ends first.
if ARGV[3] ~= '' then collect_after(KEYS[1], ARGV[3], ARGV[2]) end
return 1

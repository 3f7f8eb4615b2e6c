-- Writes a whole record over whatever has its name, lifetime included.
-- KEYS[1] the record; ARGV: now, end ('' for never), then fields and values.
local there = redis.call('EXISTS', KEYS[1]) == 1
-- A Redis that is full refuses the first write of a script, or none. DEL would not be refused.
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
if there then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
end
if ARGV[2] ~= '' then collect_after(KEYS[1], ARGV[2], ARGV[1]) end
return 1

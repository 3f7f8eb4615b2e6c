-- Adds an API key, unless there are too many that count. Of too many at all the oldest that does not is
-- forgotten.
-- KEYS[1] the person's keys; ARGV: now, most that count, most, name, created, end, hash, sealed body.
local now, counting, oldest = tonumber(ARGV[1]), 0, nil
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local key = cmsgpack.unpack(fields[i + 1])
  if fields[i] == ARGV[4] then return 0 end
  if counts(key, now) then counting = counting + 1
  elseif not oldest or key.created < oldest[1] then oldest = { key.created, fields[i] } end
end
if counting >= tonumber(ARGV[2]) then return 0 end
if #fields / 2 >= tonumber(ARGV[3]) and oldest then redis.call('HDEL', KEYS[1], oldest[2]) end
local key = { created = tonumber(ARGV[5]), ends = tonumber(ARGV[6]), hash = ARGV[7], body = ARGV[8] }
redis.call('HSET', KEYS[1], ARGV[4], cmsgpack.pack(key))
return 1

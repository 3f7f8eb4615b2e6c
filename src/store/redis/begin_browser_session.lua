-- Begins a browser session. One too many ends the one that would end first.
-- KEYS[1] the person's browser sessions; ARGV: now, most, name, over unless used, end, sealed body.
local now, ends = tonumber(ARGV[1]), {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local at = over(cmsgpack.unpack(fields[i + 1]))
  if at + SLACK < now then redis.call('HDEL', KEYS[1], fields[i])
  elseif fields[i] ~= ARGV[3] then ends[#ends + 1] = { at, fields[i] } end
end
local session = { over = tonumber(ARGV[4]), ends = tonumber(ARGV[5]), body = ARGV[6] }
redis.call('HSET', KEYS[1], ARGV[3], cmsgpack.pack(session))
table.sort(ends, function(a, b) return a[1] < b[1] end)
for i = 1, #ends - tonumber(ARGV[2]) + 1 do redis.call('HDEL', KEYS[1], ends[i][2]) end
keep_until(KEYS[1], over(session), now)
return 1

-- Lets an application wait, unless the same one does; the oldest makes room.
-- KEYS[1] the applications; ARGV: now, lifetime, the most, name, asked at, record.
-- Each field holds "asked-at record".
local now, lifetime, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
-- Nearly always: the same one waits already.
local same = redis.call('HGET', KEYS[1], ARGV[4])
local since = same and tonumber(string.match(same, '^%d+'))
if since and now < since + lifetime then return 0 end
local waiting = {}
local fields = redis.call('HGETALL', KEYS[1])
local gone = {}
for i = 1, #fields, 2 do
  local asked = tonumber(string.match(fields[i + 1], '^%d+'))
  if not asked or now >= asked + lifetime then
    gone[#gone + 1] = fields[i]
  else
    waiting[#waiting + 1] = { asked, fields[i] }
  end
end
table.sort(waiting, function(a, b) return a[1] < b[1] end)
for i = 1, #waiting - most + 1 do gone[#gone + 1] = waiting[i][2] end
-- A Redis that is full refuses HSET as the first write of a script, or nothing.
redis.call('HSET', KEYS[1], ARGV[4], ARGV[5] .. ' ' .. ARGV[6])
for _, name in ipairs(gone) do
  if name ~= ARGV[4] then redis.call('HDEL', KEYS[1], name) end
end
return 1

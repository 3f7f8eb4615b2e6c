-- Revokes what was issued up to a moment; never moves a moment back (SEC-132). Forgets, while it
-- is here, what no longer matters.
-- KEYS[1] the revocations; ARGV: now, name, moment, keep until, new version.
-- Each field holds "moment keep-until".
local function both(value) return string.match(value, '^(%d+) (%d+)$') end

local longest = ARGV[4]
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local name, moment, keep = fields[i], both(fields[i + 1])
  if name == ARGV[2] and moment and less(ARGV[3], moment) then ARGV[3] = moment end
  if name == ARGV[2] and keep and less(ARGV[4], keep) then ARGV[4] = keep end
  if keep and less(longest, keep) then longest = keep end
  if keep and less(keep, ARGV[1]) then redis.call('HDEL', KEYS[1], name) end
end
-- A Redis that is full refuses HSET as the first write of a script, and only then. Whoever has to be
-- cut off does not wait for memory, and HDEL is never refused.
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ' ' .. ARGV[4], 'version', ARGV[5])
collect_after(KEYS[1], longest, ARGV[1])
return 1

-- Keeps what an upstream has said of a person in place of the version that the caller has seen, and
-- counts the version on. Forgets, while it is here, what is over.
-- KEYS[1] the person's records; ARGV: now, name, version seen ('0' for none, '' for any), end, sealed
-- body. Each record has two fields: its name holds the body, "name:at" holds "version end".
local version, longest, over = '0', ARGV[4], {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local name = string.match(fields[i], '^(.*):at$')
  if name then
    local kept, ends = string.match(fields[i + 1], '^(%d+) (%d+)$')
    if not less(ARGV[1], ends) then over[#over + 1] = name
    elseif name == ARGV[2] then version = kept
    elseif less(longest, ends) then longest = ends end
  end
end
if ARGV[3] ~= '' and ARGV[3] ~= version then return 0 end
local at = string.format('%d %s', tonumber(version) + 1, ARGV[4])
-- Written before anything is removed: a Redis that is full refuses this, and nothing has happened.
redis.call('HSET', KEYS[1], ARGV[2], ARGV[5], ARGV[2] .. ':at', at)
for i = 1, #over do
  if over[i] ~= ARGV[2] then redis.call('HDEL', KEYS[1], over[i], over[i] .. ':at') end
end
collect_after(KEYS[1], longest, ARGV[1])
return 1

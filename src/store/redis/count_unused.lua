-- Counts clients among those that nobody has used; answers which have to make room, the oldest first.
-- Whether one is still unused says its own record.
-- KEYS[1] the unused clients; ARGV: now, end of the newest, most, most to go at once, their names.
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local next, ranked = last and last + 1 or 1, {}
for i = 5, #ARGV do
  ranked[#ranked + 1] = string.format('%d', next + i - 5)
  ranked[#ranked + 1] = ARGV[i]
end
redis.call('ZADD', KEYS[1], unpack(ranked))
collect_after(KEYS[1], ARGV[2] ~= '' and ARGV[2] or ARGV[1] + LONGEST, ARGV[1])
local too_many = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[3])
if too_many <= 0 then return {} end
local names, gone = {}, redis.call('ZPOPMIN', KEYS[1], math.min(too_many, tonumber(ARGV[4])))
for i = 1, #gone, 2 do names[#names + 1] = gone[i] end
return names

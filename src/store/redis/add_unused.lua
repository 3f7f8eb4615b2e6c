-- Takes in clients that have just registered; of those that nobody has used the oldest make room.
-- KEYS: the clients, their order; ARGV: now, end of the newest ('' for never), most, most to go at once, then of
-- each its name and its record.
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
local place, places = newest and newest + 1 or 1, {}
for i = 5, #ARGV, 2 do
  places[#places + 1] = string.format('%d', place)
  places[#places + 1] = ARGV[i]
  place = place + 1
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('ZADD', KEYS[2], unpack(places))
for _, key in ipairs(KEYS) do
  collect_after(key, ARGV[2] ~= '' and ARGV[2] or ARGV[1] + LONGEST, ARGV[1])
end
local too_many = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
if too_many <= 0 then return 1 end
local names, gone = {}, redis.call('ZPOPMIN', KEYS[2], math.min(too_many, tonumber(ARGV[4])))
for i = 1, #gone, 2 do names[#names + 1] = gone[i] end
redis.call('HDEL', KEYS[1], unpack(names))
return 1

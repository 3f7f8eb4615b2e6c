-- Stands before every script.
--
-- Numbers stay decimal strings: Lua's are doubles and hold 53 bits, ours have 64.
-- Time comes from the caller; Redis's own clock only collects garbage.

-- Is the unsigned integer a smaller than b?
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

-- How long a record is kept after its end, so that replicas whose clocks differ still agree
-- that it is there and over; and the longest life that EXPIRE is asked for (ten years).
local SLACK, LONGEST = 60, 315360000

-- Lets key be collected some time after the point `at`.
local function collect_after(key, at, now)
  local seconds = math.min(math.max(tonumber(at) - tonumber(now), 0) + SLACK, LONGEST)
  redis.call('EXPIRE', key, string.format('%d', seconds))
end


-- Lets a client live at least until ARGV[1]; never shortens its life (INT-36). True if it is there.
-- A client without an end ('') lives for ever. The caller names no present, so the time left
-- grows by as much as the end moves.
-- KEYS[1] the client; ARGV: until.
local ends = redis.call('HGET', KEYS[1], 'exp')
if not ends then return 0 end
if ends ~= '' and less(ends, ARGV[1]) then
  local left = redis.call('TTL', KEYS[1])
  redis.call('HSET', KEYS[1], 'exp', ARGV[1])
  if left >= 0 then
    local seconds = math.min(left + tonumber(ARGV[1]) - tonumber(ends), LONGEST)
    redis.call('EXPIRE', KEYS[1], string.format('%d', seconds))
  end
end
return 1

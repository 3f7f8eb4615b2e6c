-- Lets a client live at least until ARGV[1], as one that is used; never shortens its life (INT-36).
-- A client without an end ('') lives for ever. The caller names no present, so the time left
-- grows by as much as the end moves.
-- KEYS[1] the client; ARGV: until. Answers 'none', 'first' use or 'again'.
local ends = redis.call('HGET', KEYS[1], 'exp')
if not ends then return 'none' end
if ends ~= '' and less(ends, ARGV[1]) then
  local left = redis.call('TTL', KEYS[1])
  redis.call('HSET', KEYS[1], 'exp', ARGV[1])
  if left >= 0 then
    local seconds = math.min(left + tonumber(ARGV[1]) - tonumber(ends), LONGEST)
    redis.call('EXPIRE', KEYS[1], string.format('%d', seconds))
  end
end
return redis.call('HDEL', KEYS[1], 'unused') == 1 and 'first' or 'again'

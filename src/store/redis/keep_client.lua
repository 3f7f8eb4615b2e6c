-- Lets a client that is used live at least until ARGV[1]; never shortens its life (INT-36).
-- A client without an end ('') lives for ever. The caller names no present, so the time left
-- grows by as much as the end moves.
-- KEYS[1] the client; ARGV: until, the name of a first use, '' if there is none to begin.
-- Answers 'kept', 'none', or 'begun' and the name of the first use that is under way.
local ends = redis.call('HGET', KEYS[1], 'exp')
if ends then
  if ends ~= '' and less(ends, ARGV[1]) then
    local left = redis.call('TTL', KEYS[1])
    redis.call('HSET', KEYS[1], 'exp', ARGV[1])
    if left >= 0 then
      local seconds = math.min(left + tonumber(ARGV[1]) - tonumber(ends), LONGEST)
      redis.call('EXPIRE', KEYS[1], string.format('%d', seconds))
    end
  end
  return {'kept', ''}
end
if ARGV[2] == '' then return {'none', ''} end
-- Those that come at the same moment go on together.
local begun = redis.call('HGET', KEYS[1], 'begun')
if not begun then
  begun = ARGV[2]
  redis.call('HSET', KEYS[1], 'begun', begun)
end
redis.call('EXPIRE', KEYS[1], SLACK)
return {'begun', begun}

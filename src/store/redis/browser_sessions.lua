-- Stands before the scripts about a person's browser sessions, which are one hash: under each
-- session's name { over = unless it is used, ends, body = sealed }. What a later release puts beside
-- these three stays where it is.
local function over(session) return math.min(session.over, session.ends) end

-- Keeps the record at least so long, and never shorter than it was to be kept.
local function keep_until(key, at, now)
  local seconds = math.min(math.max(at - now, 0) + SLACK, LONGEST)
  if redis.call('TTL', key) < seconds then redis.call('EXPIRE', key, string.format('%d', seconds)) end
end

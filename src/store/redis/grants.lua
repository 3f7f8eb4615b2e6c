-- Stands before the scripts about a person's grants, which are one record: a MessagePack map from
-- each grant's name to { over unless used, end, generation (0: awaits its code), last rotation,
-- sealed body }. What a later release puts behind these five stays where it is.
local OVER, ENDS, GENERATION, ROTATED, BODY = 1, 2, 3, 4, 5

local function over(grant) return math.min(grant[OVER], grant[ENDS]) end

local function read(key)
  local packed = redis.call('GET', key)
  return packed and cmsgpack.unpack(packed) or {}
end

-- Writes the record without what was over long ago, to be collected when its last grant is.
local function write(key, grants, now)
  local last = 0
  for name, grant in pairs(grants) do
    if over(grant) + SLACK < now then grants[name] = nil
    elseif over(grant) > last then last = over(grant) end
  end
  if not next(grants) then return redis.call('DEL', key) end
  local seconds = math.min(math.max(last - now, 0) + SLACK, LONGEST)
  redis.call('SET', key, cmsgpack.pack(grants), 'EX', string.format('%d', seconds))
end

-- Takes a grant out, also where Redis is full: what ends something has to go on, and a script that
-- has removed something may write.
local function take_out(key, grants, name)
  local left = redis.call('TTL', key)
  grants[name] = nil
  redis.call('DEL', key)
  if next(grants) then
    redis.call('SET', key, cmsgpack.pack(grants), 'EX', string.format('%d', math.max(left, 1)))
  end
end

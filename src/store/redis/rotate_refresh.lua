-- Rotates a family: the same decision as `Grant::rotate` (SEC-084, SEC-085, SEC-165).
-- KEYS[1] the person's grants
-- ARGV: now, name, presented generation, idle end,
--       earliest rotation that is still in the grace window ('' when there is no window).
local now, grants = tonumber(ARGV[1]), read(KEYS[1])
local presented, grant = tonumber(ARGV[3]), grants[ARGV[2]]
if not grant or grant[GENERATION] == 0 or now >= over(grant) then return {'gone', 0} end

-- The current token; or one from ahead, whose MAC is genuine: we lost the newer record (PRIN-6).
if presented >= grant[GENERATION] then
  grant[GENERATION], grant[ROTATED] = presented + 1, now
  grant[OVER] = math.min(tonumber(ARGV[4]), grant[ENDS])
  write(KEYS[1], grants, now)
  return {'fresh', grant[GENERATION]}
end

-- Superseded just now: a duplicate, which gets the same successor (PRIN-4).
local earliest = tonumber(ARGV[5])
if presented + 1 == grant[GENERATION] and earliest and grant[ROTATED] >= earliest then
  return {'same', grant[GENERATION]}
end

-- Superseded long ago: somebody holds a copy. The family ends here.
take_out(KEYS[1], grants, ARGV[2])
return {'reused', 0}

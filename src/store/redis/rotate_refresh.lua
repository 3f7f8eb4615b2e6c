-- Rotates a family: the same decision as `Grant::rotate` (SEC-084, SEC-085, SEC-165).
-- KEYS[1] the grant
-- ARGV: now, presented generation, its successor, idle end,
--       earliest rotation that is still in the grace window ('' when there is no window).
-- Generation 0 is a code that nobody has redeemed.
local exp, ends, gen, rot = unpack(redis.call('HMGET', KEYS[1], 'exp', 'ends', 'gen', 'rot'))
if not exp or not ends or not rot or not gen or gen == '0' then return {'gone'} end
if not less(ARGV[1], exp) or not less(ARGV[1], ends) then return {'gone'} end

-- The current token; or one from ahead, whose MAC is genuine: we lost the newer record (PRIN-6).
if not less(ARGV[2], gen) then
  exp = ARGV[4]
  if less(ends, exp) then exp = ends end
  redis.call('HSET', KEYS[1], 'gen', ARGV[3], 'rot', ARGV[1], 'exp', exp)
  collect_after(KEYS[1], exp, ARGV[1])
  return {'fresh', ARGV[3]}
end

-- Superseded just now: a duplicate, which gets the same successor (PRIN-4).
if ARGV[3] == gen and ARGV[5] ~= '' and not less(rot, ARGV[5]) then return {'same', gen} end

-- Superseded long ago: somebody holds a copy. The family ends here.
redis.call('DEL', KEYS[1])
return {'reused'}

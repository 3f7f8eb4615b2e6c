-- Redeems a code: the same decision as `Grant::redeem` (SEC-078, SEC-165).
-- KEYS[1] the person's grants; ARGV: now, name, idle end.
local now, grants = tonumber(ARGV[1]), read(KEYS[1])
local grant = grants[ARGV[2]]
if not grant or now >= over(grant) then return 'gone' end
if grant[GENERATION] ~= 0 then return 'again' end
grant[GENERATION], grant[ROTATED] = 1, now
grant[OVER] = math.min(tonumber(ARGV[3]), grant[ENDS])
write(KEYS[1], grants, now)
return 'redeemed'

-- Puts the same body, sealed under another key, in place of the one that the caller read.
-- KEYS[1] the person's grants; ARGV: now, name, body read, body sealed anew.
local grants = read(KEYS[1])
local grant = grants[ARGV[2]]
if not grant or grant[BODY] ~= ARGV[3] then return 0 end
grant[BODY] = ARGV[4]
write(KEYS[1], grants, tonumber(ARGV[1]))
return 1

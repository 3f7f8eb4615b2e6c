-- Ends a grant. True if it was there.
-- KEYS[1] the person's grants; ARGV: name.
local grants = read(KEYS[1])
if not grants[ARGV[1]] then return 0 end
take_out(KEYS[1], grants, ARGV[1])
return 1

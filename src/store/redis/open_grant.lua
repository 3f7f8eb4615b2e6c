-- Opens a grant; one of that name that is not over stays as it is. One too many ends the one that
-- would end first.
-- KEYS[1] the person's grants; ARGV: now, most grants, name, over, end, generation, rotation, body.
local now, grants = tonumber(ARGV[1]), read(KEYS[1])
local there = grants[ARGV[3]]
if there and now < over(there) then return 0 end
grants[ARGV[3]] = {
  tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8],
}
local names = {}
for name in pairs(grants) do if name ~= ARGV[3] then names[#names + 1] = name end end
if #names >= tonumber(ARGV[2]) then
  table.sort(names, function(a, b) return over(grants[a]) < over(grants[b]) end)
  for i = 1, #names - tonumber(ARGV[2]) + 1 do grants[names[i]] = nil end
end
write(KEYS[1], grants, now)
return 1

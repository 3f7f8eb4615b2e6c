-- Keeps a record in place of the version that the caller has seen.
-- KEYS[1] the records; ARGV: name, version seen ('0' for none), version of the record, record.
-- Each field holds "version record".
local kept = redis.call('HGET', KEYS[1], ARGV[1])
local version = kept and string.match(kept, '^(%d+) ') or '0'
if version ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
return 1

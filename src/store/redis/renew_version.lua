-- Makes another version of the revocations.
-- KEYS[1] the revocations; ARGV: now, new version, until when it stays at least.
redis.call('HSET', KEYS[1], 'version', ARGV[2])
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[3]) - tonumber(ARGV[1]) + SLACK then
  collect_after(KEYS[1], ARGV[3], ARGV[1])
end
return 1

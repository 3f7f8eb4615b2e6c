-- Writes the record of a client that is used for the first time, unless it is there.
-- KEYS[1] the client; ARGV: present or earlier, end ('' for never), body.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'exp', ARGV[2], 'body', ARGV[3])
if ARGV[2] ~= '' then collect_after(KEYS[1], ARGV[2], ARGV[1]) end
return 1

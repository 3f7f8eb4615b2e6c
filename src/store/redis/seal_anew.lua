-- Puts the same body, sealed under another key, in place of the one that the caller read.
-- KEYS[1] the record; ARGV: body read, body sealed anew.
if redis.call('HGET', KEYS[1], 'body') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'body', ARGV[2])
end
return 1

-- Forgets a client that nobody has used: its end is where it was when it registered itself. (An older
-- release moves the end and leaves the mark.)
-- KEYS[1] the client.
local ends, unused = unpack(redis.call('HMGET', KEYS[1], 'exp', 'unused'))
if not unused or unused ~= ends then return 0 end
return redis.call('DEL', KEYS[1])

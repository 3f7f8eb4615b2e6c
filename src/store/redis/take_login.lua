-- Takes a sign-in out: whoever gets the body is the only one (SEC-042, SEC-057).
-- KEYS[1] the login.
local body = redis.call('HGET', KEYS[1], 'body')
if body then redis.call('DEL', KEYS[1]) end
return body

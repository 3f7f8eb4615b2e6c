-- Keeps a signing key unless one is kept already; gives back the one that is kept.
-- KEYS[1] the signing keys; ARGV: algorithm, sealed candidate.
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])

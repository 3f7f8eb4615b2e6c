// Where the peer keeps its state: a Map without the default adapter's cap, or Redis, one string
// a record, laid out as in oidc-provider's own example.

import { Redis } from 'ioredis';

const CONSUMABLE = new Set(['AuthorizationCode', 'RefreshToken']);
const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

/** An adapter over a Map. */
export function inMemory() {
  const records = new Map();
  const grants = new Map();
  return class MapAdapter {
    constructor(model) {
      this.model = model;
    }
    key(id) {
      return `${this.model}:${id}`;
    }
    // Expired records are left to the end of the run.
    async upsert(id, payload) {
      const key = this.key(id);
      records.set(key, payload);
      if (payload.uid) records.set(`uid:${payload.uid}`, id);
      if (payload.grantId && GRANTABLE.has(this.model)) {
        const keys = grants.get(payload.grantId) ?? [];
        keys.push(key);
        grants.set(payload.grantId, keys);
      }
    }
    async find(id) {
      return records.get(this.key(id));
    }
    async findByUid(uid) {
      return this.find(records.get(`uid:${uid}`));
    }
    async findByUserCode() {
      return undefined;
    }
    async consume(id) {
      records.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
    }
    async destroy(id) {
      records.delete(this.key(id));
    }
    async revokeByGrantId(grantId) {
      for (const key of grants.get(grantId) ?? []) records.delete(key);
      grants.delete(grantId);
    }
  };
}

/** An adapter over Redis; ioredis shares one connection and pipelines what is asked at once. */
export function inRedis(url) {
  const redis = new Redis(url, { keyPrefix: 'oidc:', enableAutoPipelining: true });
  return class RedisAdapter {
    constructor(model) {
      this.model = model;
    }
    key(id) {
      return `${this.model}:${id}`;
    }
    async upsert(id, payload, expiresIn) {
      const key = this.key(id);
      const multi = redis.multi();
      if (CONSUMABLE.has(this.model)) {
        multi.hset(key, { payload: JSON.stringify(payload) });
      } else {
        multi.set(key, JSON.stringify(payload));
      }
      if (expiresIn) multi.expire(key, expiresIn);
      if (payload.uid) {
        multi.set(`uid:${payload.uid}`, id);
        if (expiresIn) multi.expire(`uid:${payload.uid}`, expiresIn);
      }
      if (payload.grantId && GRANTABLE.has(this.model)) {
        const list = `grant:${payload.grantId}`;
        multi.rpush(list, key);
        // A list lives as long as its longest member: only a longer life replaces a shorter one.
        if (expiresIn) {
          multi.expire(list, expiresIn, 'NX');
          multi.expire(list, expiresIn, 'GT');
        }
      }
      await multi.exec();
    }
    async find(id) {
      if (!CONSUMABLE.has(this.model)) {
        const text = await redis.get(this.key(id));
        return text ? JSON.parse(text) : undefined;
      }
      const { payload, consumed } = await redis.hgetall(this.key(id));
      if (!payload) return undefined;
      return consumed ? { ...JSON.parse(payload), consumed: Number(consumed) } : JSON.parse(payload);
    }
    async findByUid(uid) {
      return this.find(await redis.get(`uid:${uid}`));
    }
    async findByUserCode() {
      return undefined;
    }
    async consume(id) {
      await redis.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000));
    }
    async destroy(id) {
      await redis.del(this.key(id));
    }
    async revokeByGrantId(grantId) {
      const keys = await redis.lrange(`grant:${grantId}`, 0, -1);
      await redis.del(`grant:${grantId}`, ...keys);
    }
  };
}

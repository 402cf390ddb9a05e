/** An agent's principal id, which the server gives: `agent-{fleet}-{ulid}`. */

/** Crockford's, in lower case: without i, l, o and u. */
const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const clockDigits = 10;
const randomDigits = 16;

/** 48 bits of milliseconds since the epoch, then 80 random bits; sorts by time. */
const ulid = (now: number, randomBytes: (size: number) => Uint8Array): string => {
  let clock = '';
  for (let left = Math.floor(now); clock.length < clockDigits; left = Math.floor(left / 32))
    clock = `${digits[left % 32]}${clock}`;
  const random = [...randomBytes(randomDigits)].map((byte) => digits[byte % 32]).join('');
  return clock + random;
};

/** Of a fleet's id of at most 30 characters, at most 63: the longest that a principal's may be. */
export const newAgentId = (fleet_id: string, now: number, randomBytes: (size: number) => Uint8Array): string =>
  `agent-${fleet_id}-${ulid(now, randomBytes)}`;

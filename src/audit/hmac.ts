/** HMAC-SHA-256 under one key, many times: making a key of its bytes anew each time would take six times as long as the rest. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

const keys = new WeakMap<Uint8Array, KeyObject>();

/** `key` must not be written to afterwards. */
export const hmac = (key: Uint8Array, text: string): Buffer => {
  let made = keys.get(key);
  if (made === undefined) {
    made = createSecretKey(key);
    keys.set(key, made);
  }
  return createHmac('sha256', made).update(text).digest();
};

/** Short stand-ins for texts, and sets of them, for what is remembered of millions of them at once. */
import { hash } from 'node:crypto';

/** Eight characters of one byte each. */
export type Digest = string;

/** `salt` is random and made anew for each run: nobody can prepare two texts that agree. */
export const openDigest = (salt: Uint8Array): ((text: string) => Digest) => {
  const prefix = Buffer.from(salt).toString('hex');
  return (text) => hash('sha256', prefix + text, 'binary').slice(0, 8);
};

const half = (digest: Digest, from: number): number =>
  ((digest.charCodeAt(from) << 24) |
    (digest.charCodeAt(from + 1) << 16) |
    (digest.charCodeAt(from + 2) << 8) |
    digest.charCodeAt(from + 3)) >>>
  0;

/** `add` says whether the digest is new. Sixteen to thirty-two bytes each; a Set of strings takes five times as much, and ends at 16.7 million. */
export const openDigestSet = (): { readonly add: (digest: Digest) => boolean } => {
  let slots = new Uint32Array(2 << 10);
  let size = 0;

  /** Two words a slot; a slot of two zeros is free. */
  const insert = (high: number, low: number): boolean => {
    const mask = slots.length / 2 - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 2;
      if (slots[at] === high && slots[at + 1] === low) return false;
      if (slots[at] !== 0 || slots[at + 1] !== 0) continue;
      slots[at] = high;
      slots[at + 1] = low;
      return true;
    }
  };
  const grow = (): void => {
    const before = slots;
    slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += 2) {
      const [high = 0, low = 0] = [before[at], before[at + 1]];
      if (high !== 0 || low !== 0) insert(high, low);
    }
  };
  return {
    add: (digest) => {
      if (size * 4 > slots.length) grow();
      const isNew = insert(half(digest, 0), half(digest, 4) || 1);
      if (isNew) size += 1;
      return isNew;
    },
  };
};

/** The audit: verifying the whole chain beside SHA-256 and beside one proof, and appending as it grows to a million entries. */
import { randomBytes } from 'node:crypto';
import { measureGrowth, measureStore } from './audit-append.ts';
import type { Sealing } from './audit-chain.ts';
import { measureVerification } from './audit-verification.ts';
import type { Bench } from './bench.ts';

const sizes = { entries: 100_000, rounds: 7, proofs: 500, growth: 1_000_000, stored: 2_000 };

export const audit: Bench = {
  about: 'the whole chain verified beside openssl’s SHA-256 and one proof; appending, up to a million entries',
  sizes,
  run: async (asked, progress) => {
    const wanted = { ...sizes, ...asked };
    const sealing: Sealing = { deployment: { name: 'airunner', environment: 'prod' }, stampKey: randomBytes(32) };
    return [
      ...(await measureVerification(sealing, wanted, progress)),
      ...measureGrowth(sealing, wanted, progress),
      ...(await measureStore(sealing, wanted, progress)),
    ];
  },
};

/** Proves that an entry stands in the chain, so that anybody who has the public key can check it without a server. */
import type { KeyObject } from 'node:crypto';
import { createHash } from 'node:crypto';
import { batchGet } from '../aws/batch-get.ts';
import { Conflict, NotFound } from '../errors.ts';
import { auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Entry, entryHash, readEntry } from './entry.ts';
import { findPaths } from './find-paths.ts';
import type { HeadStore, SignedHead } from './head.ts';
import { newestHead } from './newest-head.ts';
import { checkStanding, firstCovering } from './standing-head.ts';
import { rootFromPath } from './tree.ts';

export interface ProvingWorld extends World {
  readonly heads: HeadStore;
  readonly publicKey: () => Promise<KeyObject>;
}

export interface Proof {
  readonly sequence: number;
  readonly entry: Entry;
  /** What was hashed; `entry` is what it says. */
  readonly bytes: string;
  /** The newest head that covers it. */
  readonly head: SignedHead;
  /** The audit path of RFC 9162, section 2.1.3.1; hex. */
  readonly path: readonly string[];
  /** PEM; whoever checks the proof takes it from elsewhere. */
  readonly public_key: string;
  /** SHA-256 of the key's SubjectPublicKeyInfo, hex. */
  readonly key_sha256: string;
}

/** @throws NotFound; Conflict while no head covers the entry, and where the chain does not lead to its head */
export const proveEntry = async (world: ProvingWorld, sequence: number): Promise<Proof> => {
  const [head, bytes] = await Promise.all([newestHead(world.heads), readBytes(world, sequence)]);
  if (head === null || head.size < sequence)
    throw bytes === null
      ? new NotFound(`there is no entry ${sequence}`, 'sequence')
      : new Conflict(`no signed head covers entry ${sequence} yet; it does so within seconds`);
  const entry = bytes === null ? null : readEntry(bytes);
  if (bytes === null || entry === null) throw unproven(sequence);
  // Of a tree that somebody slipped in under a later head, the first one knows nothing.
  const [first] = await Promise.all([firstCovering(world, sequence), checkStanding(world, head)]);
  const hash = entryHash(bytes);
  const row = { sequence, entry: bytes, hash, nodes: [] };
  const leads = (to: SignedHead, path: readonly string[]) => rootFromPath(hash, sequence, to.size, path) === to.root;
  const [[path = []] = [], [firstPath = []] = []] = await Promise.all([
    findPaths(world, head, [row]),
    findPaths(world, first ?? head, [row]),
  ]);
  if (entry.sequence !== sequence || !leads(head, path) || !leads(first ?? head, firstPath)) throw unproven(sequence);
  const key = await world.publicKey();
  const spki = key.export({ type: 'spki', format: 'der' });
  return {
    sequence,
    entry,
    bytes,
    head,
    path,
    public_key: key.export({ type: 'spki', format: 'pem' }).toString(),
    key_sha256: createHash('sha256').update(spki).digest('hex'),
  };
};

/** Nobody is handed a proof that does not hold. */
const unproven = (sequence: number): Conflict =>
  new Conflict(`entry ${sequence} cannot be proven: the chain is not as it was signed; audit verify says more`);

const readBytes = async (world: World, sequence: number): Promise<string | null> => {
  const [row] = await batchGet(world, tableName(world.deployment, 'audit'), [{ chain: auditKeys.chain, sequence }]);
  return typeof row?.entry === 'string' ? row.entry : null;
};

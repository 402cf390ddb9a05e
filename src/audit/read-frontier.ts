/** The roots of the perfect subtrees that the chain consists of, read from the rows that completed them. */
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { openSeal } from './seal.ts';
import { type Frontier, frontierNodes, lastSequenceOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

/** Stands for a subtree whose row was removed or changed: entries go on being appended, and verification says what is wrong. */
const unknownRoot = '0'.repeat(64);

/** `hash`: of entry `size`. What is missing, or not as it was appended, is alarmed. */
export const readFrontier = async (world: AuditWorld, size: number, hash: string): Promise<Frontier> => {
  const nodes = frontierNodes(size);
  const keys = nodes.map((node) => ({ chain: auditKeys.chain, sequence: lastSequenceOf(node) }));
  const [stampKey, items] = await Promise.all([
    world.stampKey(),
    batchGet(world, tableName(world.deployment, 'audit'), keys),
  ]);
  const rows = new Map(
    items.flatMap((item) => {
      const row = openSeal(stampKey, world.deployment, item);
      return row === null ? [] : [[row.sequence, row]];
    }),
  );
  const roots = nodes.map((node) => {
    const sequence = lastSequenceOf(node);
    const row = rows.get(sequence);
    const leaf = sequence === size ? hash : row?.hash;
    const root = node.level === 0 ? leaf : row?.nodes[node.level - 1];
    if (root === undefined) world.alarm('an entry is missing, or not as it was appended', { sequence });
    return root ?? unknownRoot;
  });
  return { size, roots };
};

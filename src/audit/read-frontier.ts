/** The roots of the perfect subtrees that the chain consists of, read from the rows that completed them. */
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { type Frontier, frontierNodes, lastSequenceOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const rowSchema = z.object({ sequence: z.number(), hash: hex, nodes: z.array(hex) });

/** Stands for a subtree whose row was removed or damaged: entries go on being appended, and verification says what is wrong. */
const unknownRoot = '0'.repeat(64);

/** `hash`: of entry `size`. What is missing or damaged is alarmed; the root of a signed head tells whether the rest is right. */
export const readFrontier = async (world: AuditWorld, size: number, hash: string): Promise<Frontier> => {
  const nodes = frontierNodes(size);
  const keys = nodes.map((node) => ({ chain: auditKeys.chain, sequence: lastSequenceOf(node) }));
  const items = await batchGet(world, tableName(world.deployment, 'audit'), keys);
  const rows = new Map(
    items.flatMap((item) => {
      const row = rowSchema.safeParse(item).data;
      return row === undefined ? [] : [[row.sequence, row]];
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

/** The roots of the perfect subtrees that the chain consists of, as the rows that completed them have them. */
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { auditKeys, tableName } from '../names.ts';
import { entryHash, readEnvelope } from './entry.ts';
import { type Frontier, frontierNodes, lastSequenceOf } from './tree.ts';
import type { AuditWorld } from './world.ts';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const rowSchema = z.object({ sequence: z.number(), entry: z.string(), hash: hex, nodes: z.array(hex) });

/** Stands for a subtree whose row was removed or damaged. */
const unknownRoot = '0'.repeat(64);

/**
 * `hash`: of entry `size`. Whoever can write the table can write these rows: only the root of a signed head tells
 * whether they are right. `appended_at`: of entry `size`; null where it is no longer there.
 */
export const readFrontier = async (
  world: AuditWorld,
  size: number,
  hash: string,
): Promise<{ readonly frontier: Frontier; readonly appended_at: number | null }> => {
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
    return (node.level === 0 ? leaf : row?.nodes[node.level - 1]) ?? unknownRoot;
  });
  const bytes = rows.get(size)?.entry;
  const newest = bytes !== undefined && entryHash(bytes) === hash ? readEnvelope(bytes) : null;
  return { frontier: { size, roots }, appended_at: newest?.appended_at ?? null };
};

/** Hashes of perfect subtrees, read from the rows that hold them. */
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import { Conflict } from '../errors.ts';
import { auditKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import { lastSequenceOf, type NodeId } from './tree.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const rowSchema = z.object({ sequence: z.number(), hash, nodes: z.array(hash) });

/** Answers for the nodes asked for. @throws Conflict where a row is missing or does not hold its nodes */
export const readNodes = async (world: World, nodes: readonly NodeId[]): Promise<(node: NodeId) => string> => {
  const sequences = [...new Set(nodes.map(lastSequenceOf))];
  const rows = await batchGet(
    world,
    tableName(world.deployment, 'audit'),
    sequences.map((sequence) => ({ chain: auditKeys.chain, sequence })),
  );
  const bySequence = new Map(
    rows.flatMap((item) => {
      const { data } = rowSchema.safeParse(item);
      return data === undefined ? [] : [[data.sequence, [data.hash, ...data.nodes]] as const];
    }),
  );
  return (node) => {
    const found = bySequence.get(lastSequenceOf(node))?.[node.level];
    if (found === undefined)
      throw new Conflict(`entry ${lastSequenceOf(node)} does not hold its part of the tree; audit verify says more`);
    return found;
  };
};

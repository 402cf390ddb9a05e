/** Marks of the events that the chain has entered, so that one that is delivered again is known. */
import { z } from 'zod';
import { batchGet } from '../aws/batch-get.ts';
import type { Row } from '../aws/unchanged.ts';
import { auditKeys, tableName } from '../names.ts';
import { openRow } from './seal.ts';
import { stillThere } from './still-there.ts';
import type { AuditWorld } from './world.ts';

/** A stream keeps its records for a day, and EventBridge repeats for as long: after this (seconds) nothing comes again. */
const markLasts = 3 * 24 * 60 * 60;

/** A mark that stands though no entry tells of its event: somebody put it there to keep the event out. */
export type Planted = Row;

/** The mark of an event, to be put with the entry that tells of it. `planted`: the row that it replaces, if that is still so. */
export const putMark = (world: AuditWorld, event_id: string, sequence: number, planted: Planted | undefined) => {
  const condition = planted && stillThere(planted, ['at', 'expires']);
  return {
    Put: {
      TableName: tableName(world.deployment, 'audit'),
      Item: {
        chain: auditKeys.seen(event_id),
        sequence: 0,
        at: sequence,
        expires: Math.floor(world.now() / 1_000) + markLasts,
      },
      ...(condition === undefined
        ? { ConditionExpression: 'attribute_not_exists(chain)' }
        : {
            ConditionExpression: condition.expression,
            ExpressionAttributeNames: condition.names,
            ...(Object.keys(condition.values).length === 0 ? {} : { ExpressionAttributeValues: condition.values }),
          }),
    },
  };
};

const markSchema = z.object({ chain: z.string(), at: z.number().int().min(1) });

/** Which of the events have been entered, and which only have a mark that says so. */
export const readMarks = async (
  world: AuditWorld,
  event_ids: readonly string[],
): Promise<{ readonly entered: ReadonlySet<string>; readonly planted: ReadonlyMap<string, Planted> }> => {
  const TableName = tableName(world.deployment, 'audit');
  const stampKey = await world.stampKey();
  const marks = await batchGet(
    world,
    TableName,
    event_ids.map((event_id) => ({ chain: auditKeys.seen(event_id), sequence: 0 })),
  );
  const marked = new Map(
    marks.flatMap((mark) => {
      const event_id = event_ids.find((one) => auditKeys.seen(one) === mark.chain);
      return event_id === undefined ? [] : [[event_id, mark]];
    }),
  );
  const sequences = new Set([...marked.values()].flatMap((mark) => markSchema.safeParse(mark).data?.at ?? []));
  const items = await batchGet(
    world,
    TableName,
    [...sequences].map((sequence) => ({ chain: auditKeys.chain, sequence })),
  );
  const told = new Set(items.flatMap((item) => openRow(stampKey, world.deployment, item)?.entry.event_ids ?? []));
  const isEntered = ([event_id]: readonly [string, unknown]): boolean => told.has(event_id);
  return {
    entered: new Set([...marked].filter(isEntered).map(([event_id]) => event_id)),
    planted: new Map([...marked].filter((one) => !isEntered(one))),
  };
};

/** Lists principals, a page at a time. */
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Principal, type PrincipalStatus, type PrincipalType, parsePrincipal } from './principal.ts';

export interface PrincipalsQuery {
  readonly status?: PrincipalStatus | undefined;
  readonly type?: PrincipalType | undefined;
  readonly limit: number;
  /** The last id of the page before. */
  readonly after?: string | undefined;
}

/** Reads of 1 MB that one request may make; a filter that finds little answers a short page and a token. */
const mostReads = 5;

/** In the table's own order, strongly consistent. `next` is the last id when there may be more. */
export const listPrincipals = async (
  world: World,
  { status, type, limit, after }: PrincipalsQuery,
): Promise<{ principals: Principal[]; next?: string }> => {
  const principals: Principal[] = [];
  let start = after;
  for (let reads = 0; reads < mostReads; reads += 1) {
    const { Items = [], LastEvaluatedKey } = await world.documents.send(
      new ScanCommand({
        TableName: tableName(world.deployment, 'principals'),
        ConsistentRead: true,
        ...(status === undefined && type === undefined ? { Limit: limit + 1 } : {}),
        ...(start === undefined ? {} : { ExclusiveStartKey: { principal_id: start } }),
      }),
    );
    for (const principal of Items.map(parsePrincipal)) {
      if (status !== undefined && principal.status !== status) continue;
      if (type !== undefined && principal.type !== type) continue;
      const last = principals.at(-1);
      if (principals.length === limit && last !== undefined) return { principals, next: last.principal_id };
      principals.push(principal);
    }
    if (LastEvaluatedKey === undefined) return { principals };
    start = String(LastEvaluatedKey.principal_id);
  }
  return start === undefined ? { principals } : { principals, next: start };
};

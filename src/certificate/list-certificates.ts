/** Lists certificates, a page at a time: one principal's, or what expires soon. Reads indexes, never the table. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Caller } from '../access/caller.ts';
import { mustReach, type Reach } from '../access/roles.ts';
import { InvalidInput, NotAllowed } from '../errors.ts';
import { certificateIndexes, tableName } from '../names.ts';
import { getPrincipal } from '../principal/get-principal.ts';
import { principalIdSchema } from '../principal/principal.ts';
import type { World } from '../world.ts';
import { type CertificateStatus, type CertificateView, parseCertificate, viewCertificate } from './certificate.ts';
import { expiryBuckets } from './expiry.ts';
import { type Generation, readGeneration } from './generation.ts';
import { serialSchema } from './serial.ts';

/** Where a page ended: the index's own key of its last row, or of the last row that was read and left out. */
const placeSchema = z.union([
  z.strictObject({ principal_id: z.string(), issued_at: z.number(), serial_number: z.string() }),
  z.strictObject({ expiry_bucket: z.string(), expires_at: z.number(), serial_number: z.string() }),
]);
export type Place = z.infer<typeof placeSchema>;

const instant = z.number().int().min(0).max(8.64e15);
/** A place that a token may name: anybody can write one, and DynamoDB takes no number or key beyond its own bounds. */
export const tokenPlaceSchema: z.ZodType<Place> = z.union([
  z.strictObject({ principal_id: principalIdSchema, issued_at: instant, serial_number: serialSchema }),
  z.strictObject({ expiry_bucket: z.string().max(32), expires_at: instant, serial_number: serialSchema }),
]);

export interface CertificatesQuery {
  readonly caller: Caller;
  readonly reach: Reach;
  readonly principal_id?: string | undefined;
  readonly expiring_within_ms?: number | undefined;
  /** Only 'active' where `expiring_within_ms` stands and this does not. */
  readonly status?: CertificateStatus | undefined;
  readonly limit: number;
  readonly after?: Place | undefined;
}

export interface CertificatesPage {
  readonly certificates: readonly CertificateView[];
  /** Absent on the last page. */
  readonly next?: Place;
}

/** Queries that one request for a principal's may make one after the other; a page may end early, with a token. */
const mostReads = 20;
/** Queries that one request for what expires may make: a few for each day. */
const mostBucketReads = 2_000;
/** Rows that a query reads at least: a filter may leave most of them out. */
const fewestRows = 100;
/** Buckets read at the same time. */
const wave = 8;

interface Row {
  readonly place: Place;
  readonly view: CertificateView;
}

/** One principal's in the order of issue; what expires, by day. @throws InvalidInput on `principal_id` or `next_token`, NotAllowed, NotFound */
export const listCertificates = async (world: World, query: CertificatesQuery): Promise<CertificatesPage> => {
  const { caller, reach, principal_id, expiring_within_ms } = query;
  if (principal_id !== undefined) {
    if (reach !== 'any') mustReach(reach, caller, { principal_id, type: null });
    const page = await listOfPrincipal(world, query, principal_id);
    // A misspelt id must not read as a principal without certificates.
    if (page.certificates.length === 0) await getPrincipal(world, principal_id);
    return page;
  }
  if (reach !== 'any') throw new NotAllowed(`${caller.principal_type}s may list their own certificates only`);
  if (expiring_within_ms === undefined)
    throw new InvalidInput('principal_id', 'is required unless expiring_within is given');
  return listExpiring(world, query, expiring_within_ms);
};

const matches = (query: CertificatesQuery, now: number): ((view: CertificateView) => boolean) => {
  const { expiring_within_ms, status = expiring_within_ms === undefined ? undefined : 'active' } = query;
  return (view) =>
    (status === undefined || view.status === status) &&
    (expiring_within_ms === undefined || (view.expires_at ?? Number.NaN) <= now + expiring_within_ms);
};

const listOfPrincipal = async (
  world: World,
  query: CertificatesQuery,
  principal_id: string,
): Promise<CertificatesPage> => {
  const { after, limit } = query;
  if (after !== undefined && !('principal_id' in after && after.principal_id === principal_id)) throw foreignToken();
  const current = await readGeneration(world);
  const fits = matches(query, world.now());
  const found: Row[] = [];
  let start: Place | undefined = after;
  for (let reads = 0; reads < mostReads; reads += 1) {
    const page = await readIndex(world, current, {
      index: certificateIndexes.byPrincipal,
      key: ['principal_id', principal_id],
      limit,
      start,
    });
    for (const row of page.rows) {
      if (isFull(found, limit)) return pageOf(found, found.at(-1)?.place);
      if (fits(row.view)) found.push(row);
    }
    start = page.next;
    if (start === undefined) return pageOf(found);
  }
  return pageOf(found, start);
};

const listExpiring = async (world: World, query: CertificatesQuery, within_ms: number): Promise<CertificatesPage> => {
  const { after, limit } = query;
  const now = world.now();
  const to = now + within_ms;
  if (after !== undefined && !('expiry_bucket' in after)) throw foreignToken();
  if (after !== undefined && after.expires_at > to) return pageOf([]);
  const buckets = expiryBuckets(now, to);
  // A page that ended in a bucket of yesterday goes on today: what was left there has expired.
  let from = Math.max(0, after === undefined ? 0 : buckets.indexOf(after.expiry_bucket));
  let start: Place | undefined = buckets[from] === after?.expiry_bucket ? after : undefined;
  const current = await readGeneration(world);
  const fits = matches(query, now);
  const found: Row[] = [];
  for (let reads = 0; from < buckets.length; reads += wave) {
    const bucket = buckets[from] ?? '';
    if (reads >= mostBucketReads)
      return pageOf(found, start ?? { expiry_bucket: bucket, expires_at: now + 1, serial_number: '01' });
    const read = (expiry_bucket: string, begin: Place | undefined): Promise<IndexPage> =>
      readIndex(world, current, {
        index: certificateIndexes.byExpiry,
        key: ['expiry_bucket', expiry_bucket],
        // DynamoDB refuses to begin outside of what it is asked for, and the clock goes on between two pages.
        between: [begin !== undefined && 'expires_at' in begin ? Math.min(begin.expires_at, now + 1) : now + 1, to],
        limit,
        start: begin,
      });
    const begin: Place | undefined = start;
    const pages: readonly IndexPage[] = await Promise.all(
      buckets.slice(from, from + wave).map((name, index) => read(name, index === 0 ? begin : undefined)),
    );
    start = undefined;
    for (const page of pages) {
      for (const row of page.rows) {
        if (isFull(found, limit)) return pageOf(found, found.at(-1)?.place);
        if (fits(row.view)) found.push(row);
      }
      start = page.next;
      if (start !== undefined) break;
      from += 1;
    }
  }
  return pageOf(found);
};

const pageOf = (rows: readonly Row[], next?: Place): CertificatesPage => ({
  certificates: rows.map(({ view }) => view),
  ...(next === undefined ? {} : { next }),
});

/** A page does not end at a row edited to nonsense, which no token could name: there it is longer than asked for. */
const isFull = (found: readonly Row[], limit: number): boolean =>
  found.length >= limit && tokenPlaceSchema.safeParse(found.at(-1)?.place).success;

const foreignToken = (): InvalidInput => new InvalidInput('next_token', 'is not a token that this list gave out');

interface IndexRead {
  readonly index: string;
  readonly key: readonly ['principal_id' | 'expiry_bucket', string];
  /** `expires_at` in ms, both inclusive. */
  readonly between?: readonly [number, number];
  readonly limit: number;
  readonly start: Place | undefined;
}

interface IndexPage {
  readonly rows: readonly Row[];
  readonly next?: Place;
}

const readIndex = async (
  world: World,
  current: Generation,
  { index, key: [name, value], between, limit, start }: IndexRead,
): Promise<IndexPage> => {
  const { Items = [], LastEvaluatedKey } = await world.documents.send(
    new QueryCommand({
      TableName: tableName(world.deployment, 'certificates'),
      IndexName: index,
      KeyConditionExpression: `${name} = :key${between ? ' AND expires_at BETWEEN :from AND :to' : ''}`,
      ExpressionAttributeValues: { ':key': value, ...(between ? { ':from': between[0], ':to': between[1] } : {}) },
      Limit: Math.max(limit, fewestRows) + 1,
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    }),
  );
  const now = world.now();
  const rows = Items.map((item): Row => {
    const { serial_number, issued_at, expires_at, [name]: own } = item;
    const place =
      name === 'principal_id'
        ? { principal_id: own, issued_at, serial_number }
        : { expiry_bucket: own, expires_at, serial_number };
    return { place: placeSchema.parse(place), view: viewCertificate(parseCertificate(item), current, now) };
  });
  return { rows, ...(LastEvaluatedKey === undefined ? {} : { next: placeSchema.parse(LastEvaluatedKey) }) };
};

/** What a request carries, parsed once and refused by the name of the field that is wrong. */
import { z } from 'zod';
import { InvalidInput, NotAllowed, UnsupportedMediaType } from '../errors.ts';

/** The parts of API Gateway's proxy event that the edge reads. */
export const eventSchema = z.object({
  httpMethod: z.string(),
  resource: z.string(),
  headers: z.record(z.string(), z.string().optional()).nullish(),
  pathParameters: z.record(z.string(), z.string().optional()).nullish(),
  queryStringParameters: z.record(z.string(), z.string().optional()).nullish(),
  multiValueQueryStringParameters: z.record(z.string(), z.array(z.string()).optional()).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
  requestContext: z.object({ authorizer: z.unknown().optional(), requestId: z.unknown().optional() }),
});
export type Event = z.infer<typeof eventSchema>;

/** Bytes. The largest thing a body carries is a CSR. */
const largestBody = 65_536;

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );

/** Parses, or names the first field that is wrong: a missing one, an unknown one, one with a bad value. @throws InvalidInput */
export const parseFields = <T>(schema: z.ZodType<T>, value: unknown, whole: string): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0] ?? ''].map(String).join('.').slice(0, 128);
    throw new InvalidInput(field, 'is not a field of this request');
  }
  const path = issue?.path ?? [];
  if (path.length === 0) throw new InvalidInput(whole, issue?.message ?? 'is invalid');
  const field = path.map(String).join('.');
  throw new InvalidInput(field, at(value, path) === undefined ? 'is required' : (issue?.message ?? 'is invalid'));
};

const header = (event: Event, name: string): string | undefined =>
  Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];

export const isChange = (event: Event): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(event.httpMethod);

/**
 * Changes are JSON, which no cross-site form can send, and where a browser says where it comes from, it is from here:
 * browsers present client certificates to any page's requests.
 * @throws UnsupportedMediaType, NotAllowed
 */
export const checkChange = (event: Event): void => {
  const type = (header(event, 'content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new UnsupportedMediaType('send content-type: application/json');
  const site = header(event, 'sec-fetch-site');
  if (site !== undefined && site.trim().toLowerCase() !== 'same-origin')
    throw new NotAllowed('a browser may change things only from the same origin');
  const origin = header(event, 'origin');
  if (origin !== undefined && origin.toLowerCase() !== `https://${(header(event, 'host') ?? '').toLowerCase()}`)
    throw new NotAllowed('a browser may change things only from the same origin');
};

/** Each parameter once. @throws InvalidInput */
export const readQuery = (event: Event): Record<string, string> => {
  const query = new Map<string, string>();
  for (const [name, value] of Object.entries(event.queryStringParameters ?? {}))
    if (value !== undefined) query.set(name, value);
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    if ((values?.length ?? 0) > 1) throw new InvalidInput(name.slice(0, 128), 'is given more than once');
    if (values?.[0] !== undefined) query.set(name, values[0]);
  }
  return Object.fromEntries(query);
};

/** The body as JSON; an absent one is {}. @throws InvalidInput */
export const readBody = (event: Event): unknown => {
  const raw = event.body ?? '';
  if (raw.length > largestBody * (event.isBase64Encoded ? 1.4 : 1))
    throw new InvalidInput('body', `is larger than ${largestBody} bytes`);
  const text = event.isBase64Encoded ? Buffer.from(raw, 'base64').toString('utf8') : raw;
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidInput('body', 'is not JSON');
  }
};

/** An endpoint: a place that serves a certificate. Its row is read so that one edited by hand never crashes a read. */
import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { settingsFields } from './endpoint-settings.ts';

const instant = z.number().int().min(0).max(8.64e15);

/** The certificate that was last seen served; times in ms since the epoch. */
export const currentSchema = z.object({
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  serial_number: z.string().regex(/^[0-9a-f]{1,64}$/),
  not_before: instant,
  not_after: instant,
  issuer: z.string(),
});
export type Current = z.infer<typeof currentSchema>;

const rowFields = {
  ...settingsFields,
  current: currentSchema.optional(),
  live_job: z.string().optional(),
  created_at: instant.optional(),
  updated_at: instant.optional(),
};
type Field = keyof typeof rowFields;
type Read = { readonly [F in Field]?: z.infer<(typeof rowFields)[F]> };

/** An endpoint as it is read back: a field that the row lacks, or has of a wrong shape, is absent. */
export interface Endpoint extends Read {
  readonly endpoint_id: string;
  /** The fields that somebody edited to nonsense, or away; empty for a row as the product writes it. */
  readonly invalid: readonly Field[];
  /** The row as it was read. */
  readonly row: Row;
}

const isField = (name: string): name is Field => Object.hasOwn(rowFields, name);

/** Reads the row of an endpoint. */
export const parseEndpoint = (item: Row): Endpoint => {
  const { data, error } = z.object(rowFields).safeParse(item);
  const endpoint_id = z.string().parse(item.endpoint_id);
  if (error === undefined) return { ...data, endpoint_id, invalid: [], row: item };
  const wrong = new Set(error.issues.map(({ path }) => String(path[0])));
  const names = Object.keys(rowFields).filter(isField);
  const read = Object.fromEntries(
    names.filter((name) => !wrong.has(name)).map((name) => [name, rowFields[name].parse(item[name])]),
  );
  return { ...read, endpoint_id, invalid: names.filter((name) => wrong.has(name)), row: item };
};

/** What the API shows of an endpoint. */
export type EndpointView = Omit<Endpoint, 'row' | 'invalid'> & {
  /** The end of its current certificate, ms since the epoch. */
  readonly expires_at?: number;
  readonly invalid?: readonly string[];
};

export const viewEndpoint = ({ row: _row, invalid, ...endpoint }: Endpoint): EndpointView => ({
  ...endpoint,
  ...(endpoint.current === undefined ? {} : { expires_at: endpoint.current.not_after }),
  ...(invalid.length === 0 ? {} : { invalid }),
});

/** Paging: how many to answer at once, and the opaque token that says where the next page begins. */
import { z } from 'zod';

/** `limit` as it stands in a query: from 1 to `most`, `usual` when not given. */
export const limitSchema = ({ most, usual }: { readonly most: number; readonly usual: number }) => {
  const message = `must be a whole number from 1 to ${most}`;
  return z
    .string()
    .regex(/^\d{1,4}$/, message)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= most, message)
    .default(usual);
};

export interface PageToken<K> {
  /** Parses `next_token`; whatever this list did not write is refused. */
  readonly schema: z.ZodType<K>;
  readonly write: (key: K) => string;
}

/**
 * The token of one list: where it stopped, which a reader of the list may know anyway. Its key is checked as strictly
 * as any input, since anybody can write one.
 */
export const pageToken = <K>(list: string, key: z.ZodType<K>): PageToken<K> => {
  const content = z.tuple([z.literal(list), key]);
  return {
    write: (at) => Buffer.from(JSON.stringify([list, at])).toString('base64url'),
    schema: z
      .string()
      .max(2_048)
      .transform((token, context) => {
        try {
          const parsed = content.safeParse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')));
          if (parsed.success) return parsed.data[1];
        } catch {
          // Not ours either.
        }
        context.addIssue({ code: 'custom', message: 'is not a token that this list gave out' });
        return z.NEVER;
      }),
  };
};

/** Status filters ignore case. */
export const anyCase = <const T extends readonly [string, ...string[]]>(values: T) =>
  z
    .string()
    .toLowerCase()
    .pipe(z.enum(values, `must be one of ${values.join(', ')}`));

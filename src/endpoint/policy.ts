/** A policy as it is kept: its row, read so that one edited by hand never crashes a read, or a preset. */

import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';
import { endpointKeys } from '../names.ts';
import { contradiction, type Policy, policySchema, presetPolicy } from '../renewal/policy.ts';

export interface StoredPolicy {
  readonly policy_id: string;
  /** null: somebody edited it to nonsense, and nothing is issued by it. */
  readonly policy: Policy | null;
  /** What of it is nonsense. */
  readonly invalid: readonly string[];
  /** Milliseconds since the epoch. */
  readonly created_at?: number;
  readonly updated_at?: number;
  /** The row as it was read; undefined for a preset, which stands in the code and is never changed. */
  readonly row: Row | undefined;
}

const instant = z.number().int().min(0).max(8.64e15).optional().catch(undefined);
const timesSchema = z.object({ created_at: instant, updated_at: instant });
const rowSchema = z.object(policySchema.shape);

const invalidOf = (item: Row): readonly string[] => {
  const { data, error } = rowSchema.safeParse(item);
  if (error !== undefined) return [...new Set(error.issues.map(({ path }) => String(path[0])))];
  return contradiction(data)?.slice(0, 1) ?? [];
};

/** Reads the row of a policy. */
export const parsePolicy = (item: Row): StoredPolicy => {
  const invalid = invalidOf(item);
  const { created_at, updated_at } = timesSchema.parse(item);
  return {
    policy_id: z.string().parse(item.endpoint_id).slice(endpointKeys.policy('').length),
    policy: invalid.length === 0 ? rowSchema.parse(item) : null,
    invalid,
    ...(created_at === undefined ? {} : { created_at }),
    ...(updated_at === undefined ? {} : { updated_at }),
    row: item,
  };
};

/** The preset of that name; undefined where there is none. */
export const asPreset = (policy_id: string): StoredPolicy | undefined => {
  const policy = presetPolicy(policy_id);
  return policy && { policy_id, policy, invalid: [], row: undefined };
};

/** What the API shows of a policy. */
export type PolicyView = { readonly policy_id: string } & Partial<Policy> & {
    readonly created_at?: number;
    readonly updated_at?: number;
    /** It is one of those that stand in the code. */
    readonly preset?: true;
    readonly invalid?: readonly string[];
  };

export const viewPolicy = ({ policy, row, invalid, ...rest }: StoredPolicy): PolicyView => ({
  ...rest,
  ...policy,
  ...(row === undefined ? { preset: true } : {}),
  ...(invalid.length === 0 ? {} : { invalid }),
});

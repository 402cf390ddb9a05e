/** A principal: what its row says, read so that a row edited by hand never crashes a read and never looks better than it is. */
import { z } from 'zod';
import type { Row } from '../aws/unchanged.ts';

export const principalTypes = ['admin', 'operator', 'auditor', 'worker', 'service', 'user'] as const;
/** Given once, never changed. */
export type PrincipalType = (typeof principalTypes)[number];

export const principalStatuses = ['active', 'suspended'] as const;
export type PrincipalStatus = (typeof principalStatuses)[number];

/** DESIGN: lower case, 1 to 63 characters, never reused. Fits a CN and a URI path segment without escaping. */
export const principalIdGrammar = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export const principalIdSchema = z
  .string()
  .regex(principalIdGrammar, 'must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit');
export const principalTypeSchema = z.enum(principalTypes, `must be one of ${principalTypes.join(', ')}`);

/** The admins that `bootstrap` makes, by AWS's leave; nobody else may take their ids. */
export const bootstrapAdmins = ['admin-bootstrap', 'admin-emergency'] as const;

/** What tells one suspension from another, besides `status`; each request to suspend leaves another `suspension`. */
export const suspensionRecord = ['suspended_at', 'suspended_reason', 'suspension'] as const;

/** What stands for a reason where a row is not one the product could have written. */
export const recordInvalid = 'record invalid';

export interface Principal {
  readonly principal_id: string;
  /** 'suspended' for anything that is not the string 'active' beside one of the six types. */
  readonly status: PrincipalStatus;
  /** What the row itself says; null where it says neither. */
  readonly recorded_status: PrincipalStatus | null;
  /** null: the row names none of the six. */
  readonly type: PrincipalType | null;
  /** Milliseconds since the epoch. */
  readonly created_at?: number;
  readonly suspended_at?: number;
  /** Always present on a suspended principal. */
  readonly suspended_reason?: string;
  /** Raised by one by every issue and every key_compromise revocation; 0 where the row has none. */
  readonly certificates_version: number;
  /** Serials issued and maybe still live. */
  readonly live_serials: readonly string[];
  /** The row as it was read, for conditions that it still is. */
  readonly row: Row;
}

const instant = z.number().int().min(0).max(8.64e15).optional().catch(undefined);
const text = z.string().optional().catch(undefined);

const rowSchema = z.object({
  principal_id: z.string(),
  status: z.unknown().optional(),
  type: principalTypeSchema.nullable().catch(null),
  created_at: instant,
  suspended_at: instant,
  suspended_reason: text,
  certificates_version: z.number().int().min(0).catch(0),
  live_serials: z.array(z.string()).readonly().catch([]),
});

/**
 * Reads a row of the principals table. A row edited to nonsense comes back suspended, with its own reason or
 * 'record invalid', as the gate treats it.
 */
export const parsePrincipal = (item: Row): Principal => {
  const row = rowSchema.parse(item);
  const active = row.status === 'active' && row.type !== null;
  return {
    principal_id: row.principal_id,
    status: active ? 'active' : 'suspended',
    recorded_status: z.enum(principalStatuses).safeParse(row.status).data ?? null,
    type: row.type,
    ...(row.created_at === undefined ? {} : { created_at: row.created_at }),
    ...(active || row.suspended_at === undefined ? {} : { suspended_at: row.suspended_at }),
    ...(active ? {} : { suspended_reason: row.suspended_reason || recordInvalid }),
    certificates_version: row.certificates_version,
    live_serials: row.live_serials,
    row: item,
  };
};

/** What the API shows of a principal; times in ms since the epoch. */
export type PrincipalView = Omit<Principal, 'recorded_status' | 'certificates_version' | 'live_serials' | 'row'>;

export const viewPrincipal = (principal: Principal): PrincipalView => {
  const {
    recorded_status: _recorded,
    certificates_version: _version,
    live_serials: _serials,
    row: _row,
    ...view
  } = principal;
  return view;
};

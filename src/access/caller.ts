/** Who is calling: what the gate's allow handed on, parsed once. */
import { z } from 'zod';
import { requestIdSchema } from '../audit/author.ts';
import type { Author } from '../audit/stamp.ts';
import { type PrincipalType, principalIdSchema, principalTypeSchema } from '../principal/principal.ts';

export interface Caller {
  readonly principal_id: string;
  readonly principal_type: PrincipalType;
  readonly serial_number: string;
  /** The generation that the gate read for this request; what is issued on its strength must still be of it. */
  readonly generation: number;
  /** API Gateway's. */
  readonly request_id: string;
}

/** API Gateway hands the authorizer's context on as strings, whatever their type was. */
const contextSchema = z.object({
  principal_id: principalIdSchema,
  principal_type: principalTypeSchema,
  serial_number: z.string().regex(/^(?:[0-9a-f]{2})+$/),
  generation: z.coerce
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number),
});

/** The caller from API Gateway's `requestContext`; null when the gate did not stand in front, which is refused. */
export const readCaller = (context: { readonly authorizer?: unknown; readonly requestId?: unknown }): Caller | null => {
  const caller = contextSchema.safeParse(context.authorizer).data;
  return caller === undefined ? null : { ...caller, request_id: requestIdSchema.parse(context.requestId) };
};

/** Of what the caller changes. */
export const authorOf = ({ principal_id, request_id }: Caller): Author => ({ actor: principal_id, request_id });

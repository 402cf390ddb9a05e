/** Who a stamp names where no principal made the change, and what a request id may look like. */
import { z } from 'zod';
import type { Author } from './stamp.ts';

/** API Gateway's and Lambda's ids; whatever else stands in their place is `unknown`. */
export const requestIdSchema = z
  .string()
  .regex(/^[\w.:=/+-]{1,128}$/)
  .catch('unknown');

/** A function that AWS lets somebody invoke, or CloudFormation. `name` is its verb and object. */
export const functionAuthor = (name: string, { awsRequestId }: { readonly awsRequestId: string }): Author => ({
  actor: `function:${name}`,
  request_id: requestIdSchema.parse(awsRequestId),
});

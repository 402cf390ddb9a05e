/** Evaluates the policy that an authorizer answers with: a match that denies wins, no match denies too. */
import { z } from 'zod';

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((v) => (Array.isArray(v) ? v : [v]));

/** What API Gateway accepts from an authorizer; conditions and `Not…` elements are not known here, so they are refused. */
export const authorizerAnswer = z.strictObject({
  principalId: z.string(),
  policyDocument: z.strictObject({
    Version: z.literal('2012-10-17'),
    Statement: z.array(
      z.strictObject({
        Sid: z.string().optional(),
        Effect: z.enum(['Allow', 'Deny']),
        Action: oneOrMore,
        Resource: oneOrMore,
      }),
    ),
  }),
  context: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .nullish()
    .transform((v) => v ?? {}),
  usageIdentifierKey: z.null().optional(),
});

export type AuthorizerAnswer = z.infer<typeof authorizerAnswer>;
export type Verdict = 'allow' | 'deny' | 'explicit deny';

/** `*` is any text, `?` any one character. */
export const matches = (pattern: string, value: string): boolean => {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(value);
};

export const evaluate = ({ policyDocument }: AuthorizerAnswer, methodArn: string): Verdict => {
  const speaking = policyDocument.Statement.filter(
    (s) =>
      s.Action.some((action) => matches(action.toLowerCase(), 'execute-api:invoke')) &&
      s.Resource.some((resource) => matches(resource, methodArn)),
  );
  if (speaking.some((s) => s.Effect === 'Deny')) return 'explicit deny';
  return speaking.length > 0 ? 'allow' : 'deny';
};

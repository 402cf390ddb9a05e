/**
 * Evaluates IAM identity policies for one request, as far as this project's policies use the language. What it does not
 * know (NotAction, an unknown operator) is an error, never an allow. AWS: "Policy evaluation logic", "IAM JSON policy elements".
 */
import { z } from 'zod';

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((v) => (Array.isArray(v) ? v : [v]));

const statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore,
  Resource: oneOrMore,
  Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
});

export const policyDocument = z.object({
  Version: z.literal('2012-10-17'),
  Statement: z.union([statement, z.array(statement)]).transform((v) => (Array.isArray(v) ? v : [v])),
});

export type Statement = z.infer<typeof statement>;

/** One IAM request: what is done, to what, and the condition keys that the service would supply. */
export interface IamRequest {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, readonly string[]>>;
}

const wildcard = (pattern: string, flags = ''): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    flags,
  );

const operators: Record<string, (actual: string, expected: string) => boolean> = {
  StringEquals: (actual, expected) => actual === expected,
  StringLike: (actual, expected) => wildcard(expected).test(actual),
  ArnEquals: (actual, expected) => wildcard(expected).test(actual),
  ArnLike: (actual, expected) => wildcard(expected).test(actual),
  Bool: (actual, expected) => actual === expected,
};

const conditionHolds = (
  operatorName: string,
  key: string,
  expected: readonly string[],
  context: IamRequest['context'],
): boolean => {
  const [set, name] = operatorName.includes(':') ? operatorName.split(':') : [undefined, operatorName];
  const operator = operators[name ?? ''];
  if (!operator || (set !== undefined && set !== 'ForAllValues' && set !== 'ForAnyValue')) {
    throw new Error(`condition operator ${operatorName} is not known here`);
  }
  const actual = context[key];
  const matches = (value: string): boolean => expected.some((candidate) => operator(value, candidate));
  if (actual === undefined || actual.length === 0) return set === 'ForAllValues';
  if (set === 'ForAllValues') return actual.every(matches);
  if (set === 'ForAnyValue') return actual.some(matches);
  return actual.length === 1 && actual.every(matches);
};

/** Whether a statement speaks of this request: action, resource and every condition. */
export const statementMatches = (s: Statement, request: IamRequest): boolean =>
  s.Action.some((action) => wildcard(action, 'i').test(request.action)) &&
  s.Resource.some((resource) => wildcard(resource).test(request.resource)) &&
  Object.entries(s.Condition ?? {}).every(([operator, keys]) =>
    Object.entries(keys).every(([key, expected]) => conditionHolds(operator, key, expected, request.context)),
  );

/** Allowed by at least one statement and denied by none. */
export const isAllowed = (statements: readonly Statement[], request: IamRequest): boolean =>
  !statements.some((s) => s.Effect === 'Deny' && statementMatches(s, request)) &&
  statements.some((s) => s.Effect === 'Allow' && statementMatches(s, request));

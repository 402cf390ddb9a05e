/** The gate's decision in API Gateway's words: a policy for the whole stage, and what the integration or the refusal gets to know. */
import type { APIGatewayAuthorizerResult } from 'aws-lambda';
import type { Allow } from './decide.ts';

/**
 * The ARN of every method of the API's stage. Cut from the method's ARN before the verb: what follows is the caller's
 * own path, in which `*` and `?` would be wildcards.
 *
 * @throws Error for what is no method ARN.
 */
export const stageResource = (methodArn: unknown): string => {
  const [stage] = (typeof methodArn === 'string' && /^arn:[^/*?]+\/[^/*?]+(?=\/)/.exec(methodArn)) || [];
  if (!stage) throw new Error('not the ARN of an API method');
  return `${stage}/*`;
};

/**
 * A JSON string literal in printable ASCII. The gateway response puts it as it is behind `{"message": `; `$` is escaped
 * too, so that no template language finds a variable in a reason.
 */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(/[$\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const policy = (
  Effect: 'Allow' | 'Deny',
  Resource: string,
  principalId: string,
  context: Record<string, string>,
): APIGatewayAuthorizerResult => ({
  principalId,
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect, Resource }] },
  context,
});

/** Lets the caller in and hands on who it is; all values are strings, as API Gateway makes them anyway. */
export const allowAnswer = (resource: string, allow: Allow): APIGatewayAuthorizerResult =>
  policy('Allow', resource, allow.principal_id, {
    principal_id: allow.principal_id,
    principal_type: allow.principal_type,
    serial_number: allow.serial_number,
    generation: String(allow.generation),
  });

/** Refuses. `context.reason` is a JSON string with its quotes: the 401's template is `{"message": $context.authorizer.reason}`. */
export const denyAnswer = (resource: string, message: string): APIGatewayAuthorizerResult =>
  policy('Deny', resource, 'unknown', { reason: quoted(message) });

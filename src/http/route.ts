/** The HTTP edge: from API Gateway's event to a use case's typed request, and from its outcome to an answer. */
import { Logger } from '@aws-lambda-powertools/logger';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { type Caller, readCaller } from '../access/caller.ts';
import { type Reach, reachOf } from '../access/roles.ts';
import { NotAllowed } from '../errors.ts';
import { checkChange, eventSchema, isChange, parseFields, readBody, readQuery } from './input.ts';
import { defect, problemOf } from './problem.ts';

const logger = new Logger();
const nothing = z.strictObject({});

/** What a route takes. Each part is a strict object: a field that it does not name is refused. */
export interface Takes<P, Q, B> {
  readonly path: z.ZodType<P>;
  readonly query: z.ZodType<Q>;
  readonly body: z.ZodType<B>;
}

/** No field anywhere; a route spreads it and names the parts that it does take. */
export const takesNothing = { path: nothing, query: nothing, body: nothing };

export interface Request<P, Q, B> {
  readonly caller: Caller;
  /** How far the caller's role reaches on this route; hand it to `mustReach` with the target. */
  readonly reach: Exclude<Reach, 'none'>;
  readonly path: P;
  readonly query: Q;
  readonly body: B;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Errors of src/errors.ts become problem documents; anything else is logged, without what was sent, and answered 500. */
export const answering = async (work: () => Promise<Answer>): Promise<APIGatewayProxyResult> => {
  try {
    const answer = await work();
    return {
      statusCode: answer.status,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: JSON.stringify(answer.body),
    };
  } catch (error) {
    const problem = problemOf(error);
    if (problem === null || problem.statusCode === 503)
      logger.error('request failed', error instanceof Error ? error : new Error(String(error)));
    return problem ?? defect();
  }
};

/**
 * Builds the handler of one route. In this order, so that a caller learns nothing that its role does not reach:
 * caller, role, content type and origin, path, query, body, use case.
 */
export const route =
  <P, Q, B>(takes: Takes<P, Q, B>, handle: (request: Request<P, Q, B>) => Promise<Answer>) =>
  (input: unknown): Promise<APIGatewayProxyResult> =>
    answering(async () => {
      const event = eventSchema.parse(input);
      const caller = readCaller(event.requestContext);
      if (caller === null) throw new NotAllowed('the caller is not known');
      const reach = reachOf(`${event.httpMethod} ${event.resource}`, caller.principal_type);
      if (reach === 'none') throw new NotAllowed(`the role ${caller.principal_type} may not do this`);
      if (isChange(event)) checkChange(event);
      return handle({
        caller,
        reach,
        path: parseFields(takes.path, event.pathParameters ?? {}, 'path'),
        query: parseFields(takes.query, readQuery(event), 'query'),
        body: parseFields(takes.body, readBody(event), 'body'),
      });
    });

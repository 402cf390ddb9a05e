/** The HTTP edge of the one route that has no caller: whoever asks shows in the request itself that it may. */
import type { APIGatewayProxyResult } from 'aws-lambda';
import type { z } from 'zod';
import { requestIdSchema } from '../audit/author.ts';
import { checkChange, eventSchema, parseFields, readBody, readQuery } from './input.ts';
import { type Answer, answering, takesNothing } from './route.ts';

/** Builds its handler. Errors become what they become on every route. */
export const openRoute =
  <B>(body: z.ZodType<B>, handle: (body: B, request_id: string) => Promise<Answer>) =>
  (input: unknown): Promise<APIGatewayProxyResult> =>
    answering(async () => {
      const event = eventSchema.parse(input);
      checkChange(event);
      parseFields(takesNothing.query, readQuery(event), 'query');
      return handle(parseFields(body, readBody(event), 'body'), requestIdSchema.parse(event.requestContext.requestId));
    });

/** Carries the errors of src/errors.ts across an invocation of one function by another, which keeps a name and a message only. */
import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { EverleafError, errorKinds, InvalidInput } from './errors.ts';

const withField = z.object({ field: z.string(), message: z.string() });

const make = (type: string, message: string, field: string | undefined): EverleafError | undefined => {
  const known = errorKinds.find(({ name }) => name === type);
  if (known?.name === 'InvalidInput') return new InvalidInput(field ?? 'body', message);
  return known && new known.kind(message, field);
};

/** What a function throws so that its caller can tell what went wrong. Hand the result to `throw`. */
export const toRemote = (error: unknown): unknown => {
  if (!(error instanceof EverleafError) || error.field === undefined) return error;
  const { name, field, message } = error;
  return make(name, JSON.stringify({ field, message }), field);
};

/** The error that the other function threw; an Error of the same name when it is none of ours. */
export const fromRemote = (errorType: string, errorMessage: string): Error => {
  const { field, message = errorMessage } = withField.safeParse(parseJson(errorMessage)).data ?? {};
  const known = make(errorType, message, field);
  if (known !== undefined) return known;
  const error = new Error(errorMessage);
  error.name = errorType;
  return error;
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** What a handler is told of its run. */
export type Invocation = Pick<Context, 'awsRequestId' | 'getRemainingTimeInMillis'>;

/**
 * Builds the handler of a function that others invoke by name: parses the payload, and throws errors so that
 * `invokeFunction` can rebuild them.
 */
export const internal =
  <T>(schema: z.ZodType<T>, handle: (payload: T, context: Invocation) => Promise<unknown>) =>
  async (payload: unknown, context: Invocation): Promise<unknown> => {
    try {
      const parsed = schema.safeParse(payload);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new InvalidInput(issue?.path.join('.') || 'body', issue?.message ?? 'is invalid');
      }
      return await handle(parsed.data, context);
    } catch (error) {
      throw toRemote(error);
    }
  };

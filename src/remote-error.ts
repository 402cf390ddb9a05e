/** Carries the errors of src/errors.ts across an invocation of one function by another, which keeps a name and a message only. */
import { z } from 'zod';
import {
  Conflict,
  InvalidInput,
  LeaseHeld,
  NotAllowed,
  NotFound,
  Unavailable,
  UnsupportedMediaType,
} from './errors.ts';

const withField = z.object({ field: z.string(), message: z.string() });

/** What a function throws so that its caller can tell what went wrong. Hand the result to `throw`. */
export const toRemote = (error: unknown): unknown =>
  error instanceof InvalidInput
    ? new InvalidInput(error.field, JSON.stringify({ field: error.field, message: error.message }))
    : error;

const named = { Conflict, LeaseHeld, NotAllowed, NotFound, Unavailable, UnsupportedMediaType } as const;

/** The error that the other function threw; an Error of the same name when it is none of ours. */
export const fromRemote = (errorType: string, errorMessage: string): Error => {
  if (errorType === 'InvalidInput') {
    const parsed = withField.safeParse(parseJson(errorMessage)).data;
    return new InvalidInput(parsed?.field ?? 'body', parsed?.message ?? errorMessage);
  }
  for (const [name, Kind] of Object.entries(named)) if (name === errorType) return new Kind(errorMessage);
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

/**
 * Builds the handler of a function that others invoke by name: parses the payload, and throws errors so that
 * `invokeFunction` can rebuild them.
 */
export const internal =
  <T>(schema: z.ZodType<T>, handle: (payload: T) => Promise<unknown>) =>
  async (payload: unknown): Promise<unknown> => {
    try {
      const parsed = schema.safeParse(payload);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new InvalidInput(issue?.path.join('.') || 'body', issue?.message ?? 'is invalid');
      }
      return await handle(parsed.data);
    } catch (error) {
      throw toRemote(error);
    }
  };

/** Ids of endpoints, policies and fleets, and patterns of endpoint ids. */
import { z } from 'zod';
import { principalIdSchema } from '../principal/principal.ts';

/** As a principal's: 1 to 63 of a-z 0-9 . _ - */
export const endpointIdSchema = principalIdSchema;
export const policyIdSchema = principalIdSchema;

const longestFleetId = 30;
/** Shorter: an agent's principal id is `agent-{fleet}-{ulid}`. */
export const fleetIdSchema = principalIdSchema.max(longestFleetId, `must be at most ${longestFleetId} characters`);

export const mostPatterns = 100;

/** An endpoint id in which each `*` stands for any characters, or none. */
export const endpointPatternSchema = z
  .string()
  .regex(/^[a-z0-9*][a-z0-9._*-]{0,62}$/, 'must be an endpoint id, in which * stands for anything');

export const endpointPatternsSchema = z
  .array(endpointPatternSchema)
  .min(1, 'must name at least one endpoint or pattern')
  .max(mostPatterns, `must be at most ${mostPatterns} patterns`);

/** In time proportional to both lengths, whatever the pattern is. */
const matches = (pattern: string, text: string): boolean => {
  let [at, inPattern] = [0, 0];
  let [star, resume] = [-1, 0];
  while (at < text.length) {
    // A star first: a text may itself be a pattern, whose stars only a star matches.
    if (pattern[inPattern] === '*') {
      star = inPattern;
      resume = at;
      inPattern += 1;
    } else if (pattern[inPattern] === text[at]) {
      at += 1;
      inPattern += 1;
    } else if (star >= 0) {
      resume += 1;
      at = resume;
      inPattern = star + 1;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(inPattern));
};

/** Whether one of the patterns stands for the endpoint id, or for every id that another pattern stands for. */
export const coversEndpoint = (patterns: readonly string[], endpoint: string): boolean =>
  patterns.some((pattern) => matches(pattern, endpoint));

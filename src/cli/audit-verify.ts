/** `everleaf audit verify`: the server's verification, in one call or as it goes on in the background. */
import { z } from 'zod';
import { describeValid, runningSchema, type Verification, verificationSchema } from './audit-answers.ts';
import { Refused } from './failure.ts';
import { clean, json, lines } from './print.ts';
import { connect } from './request.ts';
import type { ServerOptions } from './settings.ts';
import { type Terminal, withProgress } from './terminal.ts';

const path = ['api', 'v1', 'identity', 'audit', 'verify'] as const;
/** ms between two questions: the first wait, and the longest. */
const firstWait = 500;
const longestWait = 5_000;

const answerSchema = z.union([verificationSchema, runningSchema]);

/** Prints what was found, the runbook's fields first. @throws Refused when something is not valid */
export const report = (
  terminal: Terminal,
  output: ServerOptions['output'],
  what: string,
  sentence: string,
  verification: Verification,
): void => {
  const { is_valid, total_entries, first_invalid_sequence, problems, remarks, ...rest } = verification;
  const first = first_invalid_sequence === null ? undefined : String(first_invalid_sequence);
  const found = lines([
    ['First invalid sequence', first],
    ...problems.map((problem) => ['Problem', problem] as const),
    ...remarks.map((remark) => ['Remark', remark] as const),
  ]);
  if (output === 'json')
    terminal.out(json({ is_valid, total_entries, first_invalid_sequence, problems, remarks, ...rest }));
  else terminal.out(is_valid ? `${clean(sentence)}\n${found}` : found);
  const why = first === undefined ? problems[0] : `the first invalid sequence is ${first}`;
  if (!is_valid) throw new Refused(`${what} is not valid${why === undefined ? '' : `: ${why}`}`);
};

/** @throws Refused when the chain is not valid */
export const verifyChain = async (
  terminal: Terminal,
  options: ServerOptions & { readonly sinceHead?: true },
): Promise<void> => {
  // One progress line for all the questions, in place of one for each.
  const server = await connect({ ...terminal, watched: false }, options);
  let checked = 0;
  const ask = async (): Promise<Verification> => {
    let query: Record<string, string> = options.sinceHead ? { since_head: 'true' } : {};
    for (let wait = firstWait; ; wait = Math.min(longestWait, wait * 1.5)) {
      const answer = await server.send(answerSchema, { method: 'GET', path, query });
      if ('is_valid' in answer) return answer;
      checked = answer.checked_entries;
      query = { verification_id: answer.verification_id };
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  };
  const doing = () => `verifying the chain${checked > 0 ? `, ${checked} entries checked` : ''}`;
  const verification = await withProgress(terminal, doing, ask());
  report(terminal, options.output, 'the audit chain', describeValid(verification), verification);
};

/** What the emulator's recorder writes: one line for each AWS request of a function or state machine, as IAM would see it. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const check = z.object({
  action: z.string(),
  resource: z.string(),
  context: z.record(z.string(), z.array(z.string())),
});

const recorded = z.object({
  /** Milliseconds since the epoch. */
  time: z.number(),
  /** Physical name of the function that asked. */
  function: z.string().optional(),
  /** ARN of the state machine that asked. */
  state_machine: z.string().optional(),
  service: z.string(),
  checks: z.array(check),
});

export type RecordedCall = z.infer<typeof recorded>;

/** Every call of a record file, in order. */
export const readCalls = (file: string): RecordedCall[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => recorded.parse(JSON.parse(line)));

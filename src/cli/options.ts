/** Values of options, refused by commander with the option's name. */
import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { Misuse } from './failure.ts';

/** A whole number from 1 on. */
export const readCount = (text: string): number => {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return Number(text);
};

/** A whole number from 0 on. */
export const readWhole = (text: string): number => {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 on.');
  return Number(text);
};

/** For options that may be given several times. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** Checked before it becomes part of a path. @throws Misuse */
export const checkId = (argument: string, id: string, schema: z.ZodType<string>): string => {
  const message = schema.safeParse(id).error?.issues[0]?.message;
  if (message !== undefined) throw new Misuse(`${argument}: ${JSON.stringify(id)} ${message}`);
  return id;
};

/**
 * Keeps the program small over months. V8 lets garbage pile up to what a machine of its own would bear: for a program that
 * does little, its whole size several times over.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';

/** Pieces of work between two collections, each of which takes some 30 ms of one core. */
const between = 20;

/** Of the kinds there are since Node 22 the one that gives memory back; before, the usual one does. */
const thorough = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const;
const collector = z.custom<(kind?: typeof thorough) => void>((value) => typeof value === 'function');

/** To be called once, early. What it answers is to be called after each piece of work. */
export const keepSmall = (): (() => void) => {
  // The young generation stays at a megabyte; what runs once a quarter of an hour needs no optimizing compilers.
  for (const flag of ['--semi-space-growth-factor=1', '--no-opt', '--no-maglev']) setFlagsFromString(flag);
  setFlagsFromString('--expose-gc');
  const collect = collector.parse(runInNewContext('gc'));
  let done = 0;
  return () => {
    // The first time: what loading the program left.
    if (done % between === 0) {
      collect();
      collect(thorough);
    }
    done += 1;
  };
};

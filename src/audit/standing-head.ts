/** Which signed heads are to be proven by: those that verifying the chain would accept, as far as a few reads tell. */
import { Conflict } from '../errors.ts';
import type { HeadStore, SignedHead } from './head.ts';

interface HeadsWorld {
  readonly heads: HeadStore;
}

/** Whoever signs does so once for each size. @throws Conflict where another tree was signed as well */
export const checkStanding = async ({ heads }: HeadsWorld, { size, hash, root }: SignedHead): Promise<void> => {
  for await (const listed of heads.listed({ from: size, to: size }))
    if ((listed.hash !== hash || listed.root !== root) && (await heads.read(listed)) !== null)
      throw new Conflict(`more than one head of size ${size} was signed; audit verify says more`);
};

/** A head is signed at most a second and some hundred entries after an entry. */
const reach = 1_000;

/** The head that was signed first of those that cover the entry; null where it is not near. */
export const firstCovering = async ({ heads }: HeadsWorld, sequence: number): Promise<SignedHead | null> => {
  const near = [];
  for await (const listed of heads.listed({ from: sequence, to: sequence + reach })) near.push(listed);
  for (const listed of near.reverse()) {
    const head = await heads.read(listed);
    if (head !== null) return head;
  }
  return null;
};

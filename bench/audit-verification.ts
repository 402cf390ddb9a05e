/** Verifying the chain beside SHA-256 of the same bytes, and beside one proof. */
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { checkEntry } from '../src/audit/check-proof.ts';
import { conclude } from '../src/audit/conclude.ts';
import { headKey, headVerifies, type ListedHead, type SignedHead, signHead } from '../src/audit/head.ts';
import { inclusionPath, lastSequenceOf, rootOf } from '../src/audit/tree.ts';
import { beginVerification } from '../src/audit/verification.ts';
import { verifyNext } from '../src/audit/verify.ts';
import { emptyChain, growChain, type Sealing } from './audit-chain.ts';
import { type Measurement, median } from './bench.ts';
import { cpuOf } from './cpu.ts';

const deployment = 'airunner/prod';

/** About what one query returns. */
const pageRows = 1_000;

interface Chain {
  /** Pages of rows as JSON: they are read from it when their turn comes, as from the network. */
  readonly pages: readonly string[];
  /** One a batch, the smallest first. */
  readonly heads: readonly ListedHead[];
  readonly newest: SignedHead;
  readonly publicKey: ReturnType<typeof generateKeyPairSync>['publicKey'];
  readonly entries: number;
  /** Bytes of an entry, on average. */
  readonly size: number;
}

const makeChain = async (sealing: Sealing, entries: number, progress: (line: string) => void): Promise<Chain> => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pages: string[] = [];
  const heads: ListedHead[] = [];
  let rows: object[] = [];
  let bytes = 0;
  let position = emptyChain;
  for (const batch of growChain(sealing, emptyChain, entries)) {
    for (const row of batch.rows) {
      bytes += Buffer.byteLength(row.entry);
      if (rows.push(row) === pageRows) {
        pages.push(JSON.stringify(rows));
        rows = [];
        if (pages.length % 25 === 0) progress(`${pages.length * pageRows} of ${entries} entries made`);
      }
    }
    ({ position } = batch);
    const { size, hash, frontier } = position;
    const head = { size, hash, root: rootOf(frontier) };
    heads.push({ ...head, key: headKey(head), versions: ['1'], hidden: false });
  }
  pages.push(JSON.stringify(rows));
  const { size, hash, frontier } = position;
  const newest = await signHead({ deployment, size, hash, root: rootOf(frontier), signed_at: 0 }, async (head) =>
    sign('sha256', head, privateKey),
  );
  return { pages, heads, newest, publicKey, entries, size: bytes / entries };
};

/** `details`: as the product does it, and the details of each entry parsed, too, which it leaves to the hash. */
type Extent = 'whole' | 'details' | 'without tree';

/** Microseconds of a full pass. */
const verifyAll = ({ pages, heads, newest }: Chain, extent: Extent): number => {
  let state = beginVerification(newest);
  if (extent === 'without tree') state = { ...state, roots: null };
  let taken = 0;
  let next = 0;
  for (const page of pages) {
    const rows = JSON.parse(page);
    const first = next;
    while ((heads[next]?.size ?? Number.POSITIVE_INFINITY) <= state.position + rows.length) next += 1;
    const listed = heads.slice(first, next);
    taken += cpuOf(() => {
      state = verifyNext(state, { rows, heads: listed, isSealed: () => false });
      if (extent === 'details') for (const { entry } of rows) JSON.parse(detailsOf(entry));
    });
  }
  const { is_valid, problems } = conclude(state, { newest, uncovered: null, now: 0 });
  if (!is_valid) throw new Error(`the chain is not valid: ${problems.join('; ')}`);
  return taken;
};

const detailsOf = (bytes: string): string => bytes.slice(bytes.indexOf('"details":') + 10, -1);

/** SHA-256 operations a second on `size` bytes. @throws Error where there is no openssl */
const opensslOps = (size: number): number => {
  const words = ['speed', '-mr', '-seconds', '1', '-bytes', String(size), '-evp', 'sha256'];
  const { stdout, error } = spawnSync('openssl', words, { encoding: 'utf8' });
  if (error) throw new Error(`openssl, which the verification is measured beside: ${error.message}`);
  const [, bytes] = /^\+F:\d+:[^:]+:([\d.]+)$/m.exec(stdout) ?? [];
  if (bytes === undefined) throw new Error(`openssl speed said: ${stdout}`);
  return Number(bytes) / size;
};

/** Microseconds of one proof: made from the rows that the product reads for it and checked up to the head's root, and the head's signature. */
const proofTimes = (
  { pages, newest, publicKey, entries }: Chain,
  proofs: number,
): { readonly path: number; readonly signature: number } => {
  // What the product reads from the table is in memory here: a few rows for each proof.
  const hashes: string[][] = pages.flatMap((page) =>
    JSON.parse(page).map(({ hash, nodes }: { hash: string; nodes: string[] }) => [hash, ...nodes]),
  );
  const bytesOf = (sequence: number): string => {
    const at = sequence - 1;
    return JSON.parse(pages[Math.floor(at / pageRows)] ?? '[]')[at % pageRows].entry;
  };
  const times = Array.from({ length: proofs }, (_, n) => {
    const number = createHash('sha256').update(`${n}`).digest().readUIntBE(0, 6);
    const sequence = 1 + (number % entries);
    const bytes = bytesOf(sequence);
    let holds = false;
    const path = cpuOf(() => {
      const nodes = inclusionPath(sequence, entries, (node) => hashes[lastSequenceOf(node) - 1]?.[node.level] ?? '');
      holds = 'entry' in checkEntry(newest, { bytes, path: nodes });
    });
    const signature = cpuOf(() => {
      holds &&= headVerifies(publicKey, deployment, newest);
    });
    if (!holds) throw new Error(`the proof of entry ${sequence} does not hold`);
    return { path, signature };
  });
  return {
    path: median(times.map((time) => time.path)),
    signature: median(times.map((time) => time.signature)),
  };
};

export const measureVerification = async (
  sealing: Sealing,
  { entries, rounds, proofs }: { readonly entries: number; readonly rounds: number; readonly proofs: number },
  progress: (line: string) => void,
): Promise<Measurement[]> => {
  const chain = await makeChain(sealing, entries, progress);
  const size = Math.round(chain.size);
  const found: Readonly<Record<Extent | 'openssl', number>>[] = [];
  for (let round = -1; round < rounds; round += 1) {
    progress(`verifying: round ${Math.max(0, round)} of ${rounds}`);
    const one = {
      openssl: opensslOps(size),
      whole: verifyAll(chain, 'whole'),
      'without tree': verifyAll(chain, 'without tree'),
      details: verifyAll(chain, 'details'),
    };
    if (round >= 0) found.push(one);
  }
  const reference = `openssl speed sha256 on ${size} bytes`;
  // Both of one round belong together: the machine is as busy for one as for the other.
  const beside = (metric: string, extent: Extent, least?: number): Measurement => {
    const rate = (one: (typeof found)[number]): number => (entries / one[extent]) * 1e6;
    const sorted = [...found].sort((one, other) => rate(one) / one.openssl - rate(other) / other.openssl);
    const chosen = sorted[Math.floor((sorted.length - 1) / 2)];
    return {
      metric,
      value: chosen === undefined ? Number.NaN : rate(chosen),
      unit: 'entries/s',
      reference,
      reference_value: chosen?.openssl ?? null,
      ...(least === undefined ? {} : { limit: { of: 'ratio', least, most: Number.POSITIVE_INFINITY } }),
    };
  };
  const pass = median(found.map(({ whole }) => whole)) / 1_000;
  const proof = proofTimes(chain, proofs);
  return [
    beside('full verification: parse, fields, links, hashes, heads, tree', 'whole', 0.15),
    beside('the same without the tree', 'without tree', 0.15),
    beside('the same with the tree and each entry’s details parsed', 'details'),
    {
      metric: `full verification of ${entries} entries`,
      value: pass,
      unit: 'ms',
      reference: 'one proof, made and checked up to the root',
      reference_value: proof.path / 1_000,
      limit: { of: 'ratio', least: 1_000, most: Number.POSITIVE_INFINITY },
    },
    {
      metric: 'one proof, made and checked up to the root',
      value: proof.path / 1_000,
      unit: 'ms',
      reference: 'checking the signature of its head',
      reference_value: proof.signature / 1_000,
    },
  ];
};

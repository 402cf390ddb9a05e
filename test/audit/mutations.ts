/** What somebody who owns the chain's table can do to it, each with the first sequence that is wrong afterwards. */

import type { StoredRow } from '../../bench/audit-chain.ts';
import { type Entry, entryBytes, entryHash, noEntry, readEntry } from '../../src/audit/entry.ts';
import { addLeaf, emptyFrontier } from '../../src/audit/tree.ts';
import type { Row } from './memory.ts';

export interface Mutation {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly first: number;
}

const entryOf = ({ entry }: StoredRow): Entry => {
  const read = readEntry(entry);
  if (read === null) throw new Error('no entry');
  return read;
};
const otherHash = 'c'.repeat(64);

/** The row with other bytes and their hash. */
const withBytes = (row: StoredRow, entry: string): StoredRow => ({ ...row, entry, hash: entryHash(entry) });
const withEntry = (row: StoredRow, change: Partial<Entry>): StoredRow =>
  withBytes(row, entryBytes({ ...entryOf(row), ...change }));

/** All nodes of the tree as they follow from the rows' bytes. */
const withNodes = (rows: readonly StoredRow[]): StoredRow[] => {
  let frontier = emptyFrontier;
  return rows.map((row) => {
    const added = addLeaf(frontier, entryHash(row.entry));
    frontier = added.frontier;
    return { ...row, nodes: added.completed };
  });
};

/** The rows numbered as they stand. */
const numbered = (rows: readonly StoredRow[]): StoredRow[] =>
  rows.map((row, index) => ({ ...row, sequence: index + 1 }));

/** From sequence `from` on, every entry says its place and follows from the one before; hashes and nodes fit. */
export const rebuilt = (rows: readonly StoredRow[], from: number): StoredRow[] => {
  let previous = rows[from - 2]?.hash ?? noEntry;
  const linked = rows.map((row, index) => {
    if (index + 1 < from) return row;
    const made = withEntry({ ...row, sequence: index + 1 }, { sequence: index + 1, previous });
    previous = made.hash;
    return made;
  });
  return withNodes(linked);
};

const fieldEdits = (entry: Entry): Partial<Entry>[] => [
  { sequence: entry.sequence + 1 },
  ...(entry.sequence > 1 ? [{ sequence: entry.sequence - 1 }, { sequence: 1 }] : []),
  { time: entry.time + 1 },
  { appended_at: entry.appended_at + 1 },
  { appended_at: entry.appended_at - 86_400_000 },
  { appended_at: entry.appended_at + 86_400_000 },
  { action: 'principal_activated' },
  { actor: 'somebody-else' },
  { request_id: entry.request_id === null ? 'a-request' : null },
  { request_id: 'another-request' },
  { subject: 'principals/somebody-else' },
  { details: {} },
  { details: { ...entry.details, more: 1 } },
  { details: JSON.parse(JSON.stringify(entry.details).replace('"', '"x')) },
  { event_ids: [] },
  { event_ids: [...entry.event_ids, 'stream:other'] },
  { event_ids: ['stream:other'] },
  { previous: otherHash },
  { previous: noEntry === entry.previous ? otherHash : noEntry },
  { seal: 'A'.repeat(22) },
];

/** What is no entry any more, though it may have the right hash. */
const brokenBytes = (bytes: string): string[] => {
  const entry = JSON.parse(bytes);
  const { details, ...envelope } = entry;
  return [
    ...Object.keys(entry).flatMap((name) => [
      JSON.stringify({ ...entry, [name]: undefined }),
      JSON.stringify({ ...entry, [name]: name === 'request_id' ? 7 : null }),
      JSON.stringify({ ...entry, [name]: [[]] }),
    ]),
    JSON.stringify({ ...envelope, more: 1, details }),
    JSON.stringify({ details, ...envelope }),
    JSON.stringify(entry, null, 1),
    bytes.replace('"details":{', '"details":{,'),
    `${bytes} `,
    ` ${bytes}`,
    bytes.slice(0, -1),
    bytes.slice(1),
    '',
    'null',
    '[]',
    '{}',
    '7',
    'no JSON',
  ];
};

const attributeEdits = (row: StoredRow): Row[] => {
  const { entry: _entry, ...withoutEntry } = row;
  const { hash: _hash, ...withoutHash } = row;
  const { action: _action, ...withoutAction } = row;
  const { nodes, ...withoutNodes } = row;
  return [
    withoutEntry,
    { ...row, entry: 7 },
    withoutHash,
    { ...row, hash: otherHash },
    { ...row, hash: row.hash.toUpperCase().replace(/^\d+$/, 'A') },
    { ...row, hash: null },
    withoutAction,
    { ...row, action: 'principal_activated' },
    { ...row, action: null },
    withoutNodes,
    { ...row, nodes: 'none' },
    { ...row, nodes: [...nodes, otherHash] },
    ...(nodes.length === 0
      ? []
      : [
          { ...row, nodes: [] },
          { ...row, nodes: nodes.slice(1) },
        ]),
    ...nodes.map((_, at) => ({ ...row, nodes: nodes.with(at, otherHash) })),
    { ...row, expires: 1 },
    { ...row, note: 'nothing' },
  ];
};

/** One row is another one, everything else as it was. */
const replacements = (rows: readonly StoredRow[], row: StoredRow): Mutation[] => {
  const { sequence } = row;
  const at = sequence - 1;
  const replace = (name: string, by: Row): Mutation => ({
    name: `${name} of ${sequence}`,
    rows: rows.with(at, by as StoredRow),
    first: sequence,
  });
  const edits = fieldEdits(entryOf(row)).flatMap((change) => {
    const name = JSON.stringify(change).slice(0, 60);
    const edited = withEntry(row, change);
    const listed = { ...edited, action: change.action ?? row.action };
    return [
      replace(`${name}`, { ...edited, hash: row.hash }),
      replace(`${name}, hashed,`, edited),
      replace(`${name}, hashed, with its copy,`, listed),
      {
        name: `${name}, hashed, all nodes computed anew, of ${sequence}`,
        rows: withNodes(rows.with(at, listed)),
        first: sequence,
      },
    ];
  });
  const broken = brokenBytes(row.entry).flatMap((bytes) => [
    replace(`bytes ${bytes.slice(0, 20)}`, { ...row, entry: bytes }),
    replace(`bytes ${bytes.slice(0, 20)}, hashed,`, withBytes(row, bytes)),
  ]);
  const attributes = attributeEdits(row).map((by, index) => replace(`attribute ${index}`, by));
  const others = [sequence - 1, sequence + 1, 1, rows.length, (sequence * 7) % rows.length].flatMap((other) => {
    const copied = rows[other - 1];
    return copied === undefined || other === sequence
      ? []
      : [replace(`a copy of ${other} in place`, { ...copied, sequence })];
  });
  return [...edits, ...broken, ...attributes, ...others];
};

/** Rows are gone, stand elsewhere, or came in between. */
const moves = (rows: readonly StoredRow[], row: StoredRow): Mutation[] => {
  const { sequence } = row;
  const at = sequence - 1;
  const before = rows.slice(0, at);
  const since = rows.slice(at);
  const after = rows.slice(sequence);
  const forged = (previous: string): StoredRow =>
    withEntry(row, { sequence, previous, subject: 'principals/invented', event_ids: ['stream:invented'] });
  const inserted = (name: string, by: StoredRow, first = sequence): Mutation[] => [
    { name: `${name} inserted at ${sequence}`, rows: numbered([...before, by, ...since]), first },
    {
      name: `${name} inserted at ${sequence}, all nodes computed anew`,
      rows: withNodes(numbered([...before, by, ...since])),
      first,
    },
  ];
  const swapped = [sequence + 1, sequence + 2, (sequence * 5) % rows.length, rows.length].flatMap((other) => {
    const there = rows[other - 1];
    if (there === undefined || other <= sequence) return [];
    const exchanged = numbered(rows.with(at, there).with(other - 1, row));
    return [
      { name: `${sequence} and ${other} swapped`, rows: exchanged, first: sequence },
      {
        name: `${sequence} and ${other} swapped, all nodes computed anew`,
        rows: withNodes(exchanged),
        first: sequence,
      },
    ];
  });
  const copies = [1, sequence + 1, rows.length, (sequence * 3) % rows.length].flatMap((other) => {
    const copied = rows[other - 1];
    return copied === undefined || other === sequence ? [] : inserted(`a copy of ${other}`, copied);
  });
  const place = (where: number): Row => ({ ...row, sequence: where });
  return [
    { name: `${sequence} deleted`, rows: [...before, ...after], first: sequence },
    { name: `${sequence} deleted, the rest moved up`, rows: numbered([...before, ...after]), first: sequence },
    {
      name: `${sequence} deleted, the rest moved up, all nodes computed anew`,
      rows: withNodes(numbered([...before, ...after])),
      first: sequence,
    },
    { name: `three from ${sequence} on deleted`, rows: [...before, ...rows.slice(at + 3)], first: sequence },
    { name: `all from ${sequence} on deleted`, rows: before, first: sequence },
    ...swapped,
    ...inserted('an entry that follows', forged(before.at(-1)?.hash ?? noEntry)),
    ...inserted('an entry that follows nothing', forged(otherHash)),
    // The same twice: the second of them stands where it does not belong.
    ...inserted('the same', row, sequence + 1),
    ...copies,
    { name: `a row before ${sequence}`, rows: [...before, place(sequence - 0.5), ...since], first: sequence - 0.5 },
  ];
};

/** Everything that changes one row, takes one out or puts one in, at one sequence. */
export const mutationsAt = (rows: readonly StoredRow[], sequence: number): Mutation[] => {
  const row = rows[sequence - 1];
  return row === undefined ? [] : [...replacements(rows, row), ...moves(rows, row)];
};

/** Everything from a sequence on is made anew and fits together; with `other` it tells something else there. */
export const rebuiltFrom = (rows: readonly StoredRow[], sequence: number): readonly StoredRow[] => {
  const row = rows[sequence - 1];
  if (row === undefined) throw new Error(`no row ${sequence}`);
  return rebuilt(rows.with(sequence - 1, withEntry(row, { actor: 'somebody-else' })), sequence);
};

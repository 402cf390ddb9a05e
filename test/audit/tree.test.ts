/** The tree against the published vectors of certificate transparency, and against the RFC's own recursive definition. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  addLeaf,
  emptyFrontier,
  type Frontier,
  frontierNodes,
  inclusionNodes,
  inclusionPath,
  lastSequenceOf,
  leafHash,
  type NodeId,
  nodeHash,
  rootFromPath,
  rootOf,
} from '../../src/audit/tree.ts';

const sha256 = (...parts: readonly Uint8Array[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};
const leafOf = (hex: string): string => sha256(Uint8Array.of(0), Buffer.from(hex, 'hex'));

/** Leaves and roots of the reference test of certificate-transparency. */
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  leafOf,
);
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const paths = [
  { sequence: 1, size: 1, path: [] },
  {
    sequence: 1,
    size: 8,
    path: [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  },
  {
    sequence: 6,
    size: 8,
    path: [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  {
    sequence: 3,
    size: 3,
    path: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  },
  {
    sequence: 2,
    size: 5,
    path: [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  },
];

/** The frontier after some leaves, and every node as the rows of the chain would hold it. */
const grow = (hashes: readonly string[]): { frontier: Frontier; hashOf: (node: NodeId) => string } => {
  let frontier = emptyFrontier;
  const rows = hashes.map((leaf) => {
    const added = addLeaf(frontier, leaf);
    frontier = added.frontier;
    return [leaf, ...added.completed];
  });
  return {
    frontier,
    hashOf: (node) => {
      const found = rows[lastSequenceOf(node) - 1]?.[node.level];
      if (found === undefined) throw new Error(`no row holds ${JSON.stringify(node)}`);
      return found;
    },
  };
};

/** MTH of RFC 6962, section 2.1, word for word. */
const treeHash = (hashes: readonly string[]): string => {
  const [only] = hashes;
  if (only === undefined) return sha256();
  if (hashes.length === 1) return only;
  const half = 2 ** Math.floor(Math.log2(hashes.length - 1));
  return nodeHash(treeHash(hashes.slice(0, half)), treeHash(hashes.slice(half)));
};
/** PATH of RFC 6962, section 2.1.1; `index` from 0. */
const treePath = (index: number, hashes: readonly string[]): string[] => {
  if (hashes.length <= 1) return [];
  const half = 2 ** Math.floor(Math.log2(hashes.length - 1));
  const [left, right] = [hashes.slice(0, half), hashes.slice(half)];
  return index < half
    ? [...treePath(index, left), treeHash(right)]
    : [...treePath(index - half, right), treeHash(left)];
};
const many = Array.from({ length: 70 }, (_, n) => leafHash(`entry ${n}`));

it('hashes leaves and nodes with their prefixes, text as UTF-8', () => {
  expect(leafHash('')).toBe(roots[1]);
  expect(leafHash('é\u{1f511}')).toBe(leafOf(Buffer.from('é\u{1f511}').toString('hex')));
  expect(() => nodeHash('', roots[1] ?? '')).toThrow('a hash that is none');
  expect(() => nodeHash(`${'0'.repeat(63)}x`, roots[1] ?? '')).toThrow('a hash that is none');
});

it('has the published roots, size by size', () => {
  roots.forEach((root, size) => {
    expect(rootOf(grow(leaves.slice(0, size)).frontier)).toBe(root);
  });
});

it.each(paths)('has the published path of entry $sequence in $size', ({ sequence, size, path }) => {
  const { hashOf } = grow(leaves.slice(0, size));
  expect(inclusionPath(sequence, size, hashOf)).toEqual(path);
  expect(rootFromPath(leaves[sequence - 1] ?? '', sequence, size, path)).toBe(roots[size]);
});

it('has the root and every path of the definition, at every size', () => {
  for (let size = 1; size <= many.length; size += 1) {
    const hashes = many.slice(0, size);
    const { frontier } = grow(hashes);
    // Nodes are read from rows that may have grown on: none of a smaller tree changes.
    const { hashOf } = grow(many);
    const root = treeHash(hashes);
    expect(rootOf(frontier)).toBe(root);
    expect(frontierNodes(size).map(hashOf)).toEqual(frontier.roots);
    hashes.forEach((leaf, index) => {
      const path = inclusionPath(index + 1, size, hashOf);
      expect(path).toEqual(treePath(index, hashes));
      expect(rootFromPath(leaf, index + 1, size, path)).toBe(root);
    });
  }
});

it('leads a path to another root when anything about it is changed', () => {
  const size = 21;
  const { frontier, hashOf } = grow(many.slice(0, size));
  const root = rootOf(frontier);
  for (let sequence = 1; sequence <= size; sequence += 1) {
    const leaf = many[sequence - 1] ?? '';
    const path = inclusionPath(sequence, size, hashOf);
    const wrong = [
      rootFromPath(many[sequence] ?? '', sequence, size, path),
      rootFromPath(leaf, sequence, size, path.slice(1)),
      rootFromPath(leaf, sequence, size, path.slice(0, -1)),
      rootFromPath(leaf, sequence, size, [...path, leaf]),
      rootFromPath(leaf, sequence, size, path.with(0, path[0]?.toUpperCase() ?? '')),
      ...path.map((_, at) => rootFromPath(leaf, sequence, size, path.with(at, many[60] ?? ''))),
      ...Array.from({ length: size }, (_, other) =>
        other + 1 === sequence ? null : rootFromPath(leaf, other + 1, size, path),
      ),
    ];
    expect(wrong).not.toContain(root);
  }
  for (const [sequence, of] of [
    [0, 1],
    [2, 1],
    [1.5, 2],
    [1, Number.NaN],
    [1, 2 ** 60],
  ] as const)
    expect(rootFromPath(many[0] ?? '', sequence, of, [])).toBeNull();
});

it('needs few nodes, also of a chain of a quadrillion entries', () => {
  const size = 10 ** 15 - 1;
  for (const sequence of [1, 2, 3, 10 ** 14, 5 * 10 ** 14, size - 1, size])
    expect(inclusionNodes(sequence, size).flat().length).toBeLessThanOrEqual(100);
  expect(() => inclusionNodes(0, 5)).toThrow('an entry outside of the tree');
  expect(() => inclusionNodes(6, 5)).toThrow('an entry outside of the tree');
});

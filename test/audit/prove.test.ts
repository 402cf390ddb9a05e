/** The proof of one entry: whoever has the public key needs nothing else to check it. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import { append } from '../../src/audit/append.ts';
import { checkEntry } from '../../src/audit/check-proof.ts';
import { coverWithHead } from '../../src/audit/cover-with-head.ts';
import { entryHash } from '../../src/audit/entry.ts';
import { type ProvingWorld, proveEntry } from '../../src/audit/prove.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain, type TestChain } from './chain.ts';
import { draft } from './rows.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describeWithEmulator('proving an entry', (emulator) => {
  let chain: TestChain;
  let world: ProvingWorld;
  beforeEach(async () => {
    chain = await makeChain(emulator);
    world = { ...chain.writer(), publicKey: async () => publicKey };
  });
  const grow = async (from: number, to: number) => {
    const writer = chain.writer();
    return {
      writer,
      end: await append(
        writer,
        Array.from({ length: to - from + 1 }, (_, n) => draft(from + n)),
      ),
    };
  };
  const signed = async (from: number, to: number) => {
    const { writer, end } = await grow(from, to);
    await coverWithHead(writer, end);
  };

  it('holds for each entry, at whatever size the head was signed', async () => {
    for (const size of [1, 2, 3, 6, 7, 8, 13]) {
      await signed(size, size);
      const rows = await chain.rows();
      for (const row of rows) {
        const proof = await proveEntry(world, row.sequence);
        expect(proof).toMatchObject({ sequence: row.sequence, bytes: row.entry, head: { size: rows.length } });
        expect(proof.entry).toEqual(JSON.parse(row.entry));
        expect(chain.isGenuine(proof.head)).toBe(true);
        expect(checkEntry(proof.head, { bytes: proof.bytes, path: [...proof.path] })).toHaveProperty('entry');
      }
    }
  }, 60_000);

  it('names the key, and is for one head: a later one needs another', async () => {
    await signed(1, 5);
    const early = await proveEntry(world, 2);
    expect(early.public_key).toBe(publicKey.export({ type: 'spki', format: 'pem' }));
    expect(early.key_sha256).toBe(
      createHash('sha256')
        .update(publicKey.export({ type: 'spki', format: 'der' }))
        .digest('hex'),
    );
    await signed(6, 9);
    const late = await proveEntry(world, 2);
    expect(late.head.size).toBe(9);
    for (const [head, path, holds] of [
      [early.head, early.path, true],
      [late.head, late.path, true],
      [early.head, late.path, false],
      [late.head, early.path, false],
    ] as const)
      expect('entry' in checkEntry(head, { bytes: early.bytes, path: [...path] })).toBe(holds);
  });

  it('is not there for what is not there, and later for what no head covers yet', async () => {
    await expect(proveEntry(world, 1)).rejects.toMatchObject({ name: 'NotFound', field: 'sequence' });
    const { writer, end } = await grow(1, 3);
    await expect(proveEntry(world, 3)).rejects.toMatchObject({ name: 'Conflict' });
    await coverWithHead(writer, end);
    expect(await proveEntry(world, 3)).toMatchObject({ sequence: 3 });
    await expect(proveEntry(world, 4)).rejects.toMatchObject({ name: 'NotFound' });
  });

  it('holds for every other entry when a row is gone, or holds another part of the tree', async () => {
    await signed(1, 7);
    await signed(8, 11);
    const rows = await chain.rows();
    for (const sequence of [1, 4, 7, 8, 11])
      for (const damage of [
        () => chain.remove('main', sequence),
        () => chain.put({ ...rows[sequence - 1], hash: 'a'.repeat(64), nodes: ['a'.repeat(64)] }),
      ]) {
        await damage();
        for (const row of rows)
          if (row.sequence !== sequence) {
            const { head, bytes, path } = await proveEntry(world, row.sequence);
            expect(checkEntry(head, { bytes, path: [...path] }), `${row.sequence} by ${sequence}`).toHaveProperty(
              'entry',
            );
          }
        await chain.put({ ...rows[sequence - 1] });
      }
  }, 60_000);

  it('is handed to nobody when it would not hold', async () => {
    await signed(1, 11);
    const rows = await chain.rows();
    const at = (sequence: number) => rows[sequence - 1];
    const edited = at(3)?.entry.replace('admin-one', 'admin-two') ?? '';
    const damaged: Record<string, unknown>[] = [
      { ...at(3), entry: edited },
      { ...at(3), entry: edited, hash: entryHash(edited) },
      { ...at(3), entry: at(2)?.entry },
      { ...at(3), entry: 7 },
    ];
    for (const row of damaged) {
      await chain.put(row);
      await expect(proveEntry(world, 3)).rejects.toMatchObject({ name: 'Conflict' });
    }
    await chain.remove('main', 3);
    await expect(proveEntry(world, 3)).rejects.toMatchObject({ name: 'Conflict' });
  });
});

/** Files of lines that may be larger than memory: read one by one, and grown line by line. */
import { constants, lstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Misuse, Refused } from './failure.ts';
import { isOurs, privateMode, reason, removeIfThere } from './files.ts';

/** Bytes. */
const chunkSize = 262_144;
const longestLine = 16_777_216;
const newline = 0x0a;

export interface Line {
  readonly text: string;
  /** Bytes from the file's beginning to the end of the line, with its newline. */
  readonly end: number;
  /** Whether it has a newline: the last line of a file that was cut has none. */
  readonly whole: boolean;
}

/** Lines end with a newline and nothing else: JSON may hold every other character that separates lines. */
async function* linesOf(handle: FileHandle, file: string, option: string): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let read = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(chunkSize);
    const { bytesRead } = await handle.read(chunk, 0, chunkSize, read);
    if (bytesRead === 0) break;
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    read += bytesRead;
    let start = 0;
    for (let at = rest.indexOf(newline); at >= 0; at = rest.indexOf(newline, start)) {
      const end = read - rest.length + at + 1;
      yield { text: rest.toString('utf8', start, at), end, whole: true };
      start = at + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > longestLine) throw new Misuse(`${option}: ${file} has a line of more than ${longestLine} bytes`);
  }
  if (rest.length > 0) yield { text: rest.toString('utf8'), end: read, whole: false };
}

/** @throws Misuse naming `option` when the file cannot be read. */
export async function* readLines(file: string, option: string): AsyncGenerator<Line> {
  const handle = await openOr(file, option, constants.O_RDONLY);
  try {
    yield* linesOf(handle, file, option);
  } finally {
    await handle.close();
  }
}

const openOr = async (file: string, option: string, flags: number): Promise<FileHandle> => {
  let handle: FileHandle;
  try {
    handle = await open(file, flags, privateMode);
  } catch (error) {
    const doing = (flags & constants.O_CREAT) === 0 ? 'read' : 'write';
    throw new Misuse(`${option}: cannot ${doing} ${file}: ${reason(error)}`);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Misuse(`${option}: ${file} is not a file`);
};

export interface GrowingFile {
  readonly lines: () => AsyncGenerator<Line>;
  /** Drops what stands behind so many bytes. @throws Refused as `append` */
  readonly cut: (size: number) => Promise<void>;
  /** @throws Refused when something else changed the file's length meanwhile, and when it cannot be written */
  readonly append: (text: string) => Promise<void>;
  /** Flushes it to the disk; one that was made here and into which nothing was written is removed. */
  readonly close: () => Promise<void>;
}

/** Makes it, readable by its owner only, where there is none. @throws Misuse naming `option` for a link or another user's file. */
export const openGrowing = async (file: string, option: string): Promise<GrowingFile> => {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const isNew = lstatSync(file, { throwIfNoEntry: false }) === undefined;
  const handle = await openOr(file, option, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW);
  const found = await handle.stat();
  if (!isOurs(found)) {
    await handle.close();
    throw new Misuse(`${option}: ${file} belongs to another user; name another file`);
  }
  let length = found.size;
  const checkLength = async () => {
    if ((await handle.stat()).size !== length)
      throw new Refused(`something else writes ${file} at the same time; name another file`);
  };
  return {
    lines: () => linesOf(handle, file, option),
    cut: async (size) => {
      await checkLength();
      await handle.truncate(size);
      length = size;
    },
    append: async (text) => {
      await checkLength();
      try {
        await handle.appendFile(text);
      } catch (error) {
        throw new Refused(`cannot write ${file}: ${reason(error)}`);
      }
      length += Buffer.byteLength(text);
    },
    close: async () => {
      try {
        await handle.sync();
        if (isNew && (await handle.stat()).size === 0) removeIfThere(file);
      } finally {
        await handle.close();
      }
    },
  };
};

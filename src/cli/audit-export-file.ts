/** What an earlier `audit export` left in its file. */
import { beginExport, checkNext, type Exported, type ExportHeader, exportHeaderSchema } from '../audit/check-proof.ts';
import { Misuse, Refused } from './failure.ts';
import type { GrowingFile } from './line-file.ts';
import { jsonLine } from './print.ts';
import { parseJson } from './request.ts';

/** Its header, and how far it is. */
export interface Begun {
  readonly header: ExportHeader;
  readonly state: Exported;
}

/** How every export begins, so that what is cut inside its first line is known again. */
const beginning = jsonLine({ everleaf: 'audit export 1' }).slice(0, -2);

/** Reads and checks what an earlier run left, and drops a line that it did not finish. @throws Misuse, Refused */
export const readBegun = async (file: GrowingFile, name: string): Promise<Begun | null> => {
  let begun: Begun | null = null;
  for await (const { text, whole, end } of file.lines()) {
    if (!whole) {
      if (begun === null && !text.startsWith(beginning) && !beginning.startsWith(text)) throw notAnExport(name);
      await file.cut(end - Buffer.byteLength(text));
      break;
    }
    if (begun === null) {
      const header = exportHeaderSchema.safeParse(parseJson(text)).data;
      if (header === undefined) throw notAnExport(name);
      begun = { header, state: beginExport(header) };
      continue;
    }
    const { state, problems } = checkNext(begun.header.head, begun.state, parseJson(text));
    const [problem] = problems;
    if (problem !== undefined)
      throw new Refused(`${name} is not as it was exported (${problem.words}); name another file`);
    begun = { ...begun, state };
  }
  return begun;
};

const notAnExport = (name: string): Misuse => new Misuse(`--to: ${name} holds something else; name another file`);

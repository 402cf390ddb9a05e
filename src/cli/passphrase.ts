/** The passphrase of an encrypted key: from a file, or asked for without echo; never an argument. */
import { Misuse } from './failure.ts';
import { expandHome, readText } from './files.ts';
import type { Terminal } from './terminal.ts';

/** Characters. */
const shortestPassphrase = 16;
const isTooShort = (passphrase: string): boolean => [...passphrase].length < shortestPassphrase;
const tooShort = `the passphrase must have at least ${shortestPassphrase} characters`;
/** Times that a new passphrase is asked for. */
const tries = 3;

const fromFile = (terminal: Terminal, option: string | undefined): string | null => {
  const given = option ?? terminal.env.EVERLEAF_PASSPHRASE_FILE;
  if (given === undefined || given === '') return null;
  const name = option === undefined ? 'EVERLEAF_PASSPHRASE_FILE' : '--passphrase-file';
  return readText(expandHome(given, terminal.home), name).replace(/\r?\n$/, '');
};

const nobody = (what: string): Misuse =>
  new Misuse(`--passphrase-file: ${what} needs a passphrase, and there is no terminal to ask on; give the file`);

/** The passphrase of a key that exists. @throws Misuse when there is nobody to ask. */
export const askPassphrase = async (terminal: Terminal, option: string | undefined, file: string): Promise<string> => {
  const passphrase = fromFile(terminal, option) ?? (await terminal.askSecret(`Passphrase of ${file}: `));
  if (passphrase === null) throw nobody(file);
  return passphrase;
};

/**
 * A new passphrase, asked for twice; one shorter than 16 characters is asked for again.
 * @throws Misuse when it stays too short, or is typed differently.
 */
export const choosePassphrase = async (
  terminal: Terminal,
  option: string | undefined,
  use: string,
): Promise<string> => {
  const given = fromFile(terminal, option);
  if (given !== null) {
    if (isTooShort(given)) throw new Misuse(`--passphrase-file: ${tooShort}`);
    return given;
  }
  for (let left = tries; left > 0; left -= 1) {
    const typed = await terminal.askSecret(`Passphrase for ${use} (at least ${shortestPassphrase} characters): `);
    if (typed === null) throw nobody(use);
    if (isTooShort(typed)) {
      terminal.err(`${tooShort}\n`);
      continue;
    }
    if ((await terminal.askSecret('Once more: ')) !== typed)
      throw new Misuse('the two passphrases differ; nothing was changed');
    return typed;
  }
  throw new Misuse(`${tooShort}; nothing was changed`);
};

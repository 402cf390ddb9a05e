/** The passphrase of an encrypted key: from a file, or asked for without echo; never an argument. */
import { Misuse } from './failure.ts';
import { expandHome, readText } from './files.ts';
import type { Terminal } from './terminal.ts';

/** Characters. */
export const shortestPassphrase = 16;

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

/** A new passphrase, asked for twice. @throws Misuse when it is shorter than 16 characters or typed differently. */
export const choosePassphrase = async (
  terminal: Terminal,
  option: string | undefined,
  use: string,
): Promise<string> => {
  const given = fromFile(terminal, option);
  const passphrase =
    given ?? (await terminal.askSecret(`Passphrase for ${use} (at least ${shortestPassphrase} characters): `));
  if (passphrase === null) throw nobody(use);
  if ([...passphrase].length < shortestPassphrase)
    throw new Misuse(`--passphrase-file: the passphrase must have at least ${shortestPassphrase} characters`);
  if (given === null && (await terminal.askSecret('Once more: ')) !== passphrase)
    throw new Misuse('the two passphrases differ; nothing was changed');
  return passphrase;
};

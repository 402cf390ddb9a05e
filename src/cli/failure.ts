/** How a command fails: used wrongly (exit code 2) or refused (exit code 1), always with a line that says what to do. */

/** The command line, a file it names, or a value in it is wrong. The message names the option or field. Exit code 2. */
export class Misuse extends Error {
  override readonly name = 'Misuse';
}

/** The server, AWS or the network refused. Exit code 1. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

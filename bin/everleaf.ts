/** The command line's entry point. */
import { run } from '../src/cli/program.ts';
import { systemTerminal } from '../src/cli/terminal.ts';

// The SDK's advice on Node versions is not for whoever types a command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
// `everleaf … | head` closes the pipe early, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await run(process.argv.slice(2), systemTerminal());

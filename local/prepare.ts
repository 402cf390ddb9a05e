/** Brings the tools of the local cloud before they are needed: `npx tsx local/prepare.ts`. */
import { emulatorTools, functionNode, installPython, MissingTool } from './tools.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);
try {
  await installPython(emulatorTools, say);
  say(functionNode().said);
} catch (error) {
  if (!(error instanceof MissingTool)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

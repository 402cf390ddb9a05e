/** Bundles a function's entry file with everything that it imports, in this process: a package manager started for each took a second. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { type BuildOptions, buildSync } from 'esbuild';

/** CommonJS loads three times faster than ESM where every millisecond of a cold start counts. */
export type BundleFormat = 'cjs' | 'esm';

const root = fileURLToPath(new URL('../', import.meta.url));

/** ESM bundles meet packages that call require for Node's own modules. */
const requireBanner =
  "import { createRequire as everleafRequire } from 'node:module'; const require = everleafRequire(import.meta.url);";

/** How every function is bundled, by whoever does it. The SDK that was tested is the SDK that runs: nothing is left out. */
export const bundleOptions = (entry: string, format: BundleFormat): BuildOptions => ({
  absWorkingDir: root,
  entryPoints: [`lambdas/${entry}.ts`],
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node24',
  format,
  mainFields: ['module', 'main'],
  legalComments: 'none',
  logLevel: 'error',
  ...(format === 'esm' ? { banner: { js: requireBanner } } : {}),
});

const bundled = new Map<string, Uint8Array>();

const buildThese = (entries: readonly string[], format: BundleFormat, more: BuildOptions = {}): void => {
  const [first = ''] = entries;
  const { outputFiles = [] } = buildSync({
    ...bundleOptions(first, format),
    entryPoints: entries.map((entry) => `lambdas/${entry}.ts`),
    outbase: 'lambdas',
    outdir: 'dist',
    write: false,
    ...more,
  });
  for (const { path, contents } of outputFiles)
    bundled.set(`${format} ${relative(join(root, 'dist'), path).slice(0, -'.js'.length)}`, contents);
};

let allTried = false;

const build = (entry: string, format: BundleFormat): Uint8Array => {
  const name = `${format} ${entry}`;
  // All at once, in a third of the time: what they share is read once. If one of them is broken, only who needs it is told.
  if (format === 'esm' && !allTried) {
    allTried = true;
    const files = readdirSync(join(root, 'lambdas'), { recursive: true, encoding: 'utf8' });
    try {
      buildThese(
        files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -'.ts'.length)),
        format,
        { logLevel: 'silent' },
      );
    } catch {}
  }
  if (!bundled.has(name)) buildThese([entry], format);
  const contents = bundled.get(name);
  if (contents === undefined) throw new Error(`${entry}: nothing was bundled`);
  return contents;
};

/**
 * Hands the bundle of `lambdas/<entry>.ts` to `use` as code, `index.handler`. Where the synthesis wants no bundles
 * (context `aws:cdk:bundling-stacks`), the code is empty.
 */
export const withBundle = <T>(
  { entry, format, required }: { entry: string; format: BundleFormat; required: boolean },
  use: (code: AssetCode) => T,
): T => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-bundle-'));
  try {
    writeFileSync(join(folder, format === 'esm' ? 'index.mjs' : 'index.js'), required ? build(entry, format) : '');
    // The asset is copied when the function is made: the folder may go then.
    return use(Code.fromAsset(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

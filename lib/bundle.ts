/** Bundles a function's entry file with everything that it imports, in this process: a package manager started for each took a second. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

const build = (entry: string, format: BundleFormat): Uint8Array => {
  const known = bundled.get(entry);
  if (known) return known;
  const [file] = buildSync({ ...bundleOptions(entry, format), write: false, outdir: 'dist' }).outputFiles ?? [];
  if (file === undefined) throw new Error(`${entry}: nothing was bundled`);
  bundled.set(entry, file.contents);
  return file.contents;
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

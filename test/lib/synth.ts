/** Stacks synthesised for tests: without bundles, which have no part in what a template says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { z } from 'zod';
import type { Config } from '../../lib/config.ts';
import { EverleafStack } from '../../lib/stack.ts';

export const config: Config = {
  name: 'airunner',
  environment: 'prod',
  domain: 'airunner.example.com',
  certificateArn: 'arn:aws:acm:ap-southeast-2:123456789012:certificate/0a1b2c3d',
};

const cdkJson = z.object({ context: z.record(z.string(), z.unknown()) });

const outdirs: string[] = [];
process.once('exit', () => {
  for (const outdir of outdirs) rmSync(outdir, { recursive: true, force: true });
});

/** The context of cdk.json, and no bundling. */
export const newApp = (context: Record<string, unknown> = {}): App => {
  const outdir = mkdtempSync(join(tmpdir(), 'everleaf-synth-'));
  outdirs.push(outdir);
  return new App({
    outdir,
    analyticsReporting: false,
    context: {
      ...cdkJson.parse(JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))).context,
      'aws:cdk:bundling-stacks': [],
      ...context,
    },
  });
};

const resource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
  DependsOn: z.union([z.string(), z.array(z.string())]).optional(),
});
export type CfnResourceJson = z.infer<typeof resource>;
const template = z.object({
  Resources: z.record(z.string(), resource),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown() })).default({}),
});

export const templateOf = (app: App, stack: Stack) =>
  template.parse(app.synth().getStackArtifact(stack.artifactId).template);

export const synthesise = (changes: Partial<Config> = {}) => {
  const app = newApp();
  const stack = new EverleafStack(app, 'Everleaf', { ...config, ...changes });
  return templateOf(app, stack);
};

export type Template = ReturnType<typeof synthesise>;

export const ofType = (from: Template, type: string): [string, CfnResourceJson][] =>
  Object.entries(from.Resources).filter(([, { Type }]) => Type === type);

const statement = z.object({
  Effect: z.string(),
  Action: z.union([z.string(), z.array(z.string())]).transform((one) => [one].flat()),
  Resource: z.unknown().optional(),
  Principal: z.unknown().optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
});
const policy = z.object({ Statement: z.array(statement) });

export const statementsOf = (document: unknown) => policy.parse(document).Statement;

/** The one resource whose logical id contains `part`. */
export const named = (from: Template, type: string, part: string): [string, CfnResourceJson] => {
  const [found, ...more] = ofType(from, type).filter(([id]) => id.includes(part));
  if (found === undefined || more.length > 0) throw new Error(`${more.length + 1} or no ${type} with ${part}`);
  return found;
};

/** Statements of the policies attached to a role. */
export const grantsOf = (from: Template, role: string) =>
  ofType(from, 'AWS::IAM::Policy')
    .filter(([, { Properties }]) => JSON.stringify(Properties.Roles) === JSON.stringify([{ Ref: role }]))
    .flatMap(([, { Properties }]) => statementsOf(Properties.PolicyDocument));

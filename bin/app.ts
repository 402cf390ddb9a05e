/** The CDK application: one stack, named by the context. */
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { type Config, readConfig, WrongContext } from '../lib/config.ts';
import { EverleafStack } from '../lib/stack.ts';

const app = new App();

const configOrExit = (): Config => {
  try {
    return readConfig(app.node);
  } catch (error) {
    if (!(error instanceof WrongContext)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
};

new EverleafStack(app, 'Everleaf', configOrExit());
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

/** Which deployment a command line means: by its name, or the stack that says that environment and domain; pure. */
import type { DeployedStack } from '../aws/operator.ts';
import { type Deployment, environmentWord, nameWord, stackName } from '../names.ts';
import { Misuse, Refused } from './failure.ts';

export interface Deployed extends Deployment {
  readonly domain: string;
  /** The ACM certificate that the domain serves. */
  readonly certificateArn: string;
}

/** Outputs are anybody's words: a stack is believed that is called as ours are, by words that ours consist of. */
const readStack = ({ name: called, outputs }: DeployedStack): Deployed[] => {
  const {
    Name: name = '',
    Environment: environment = '',
    Domain: domain,
    DomainCertificateArn: certificateArn,
  } = outputs;
  if (!nameWord.test(name) || !environmentWord.test(environment)) return [];
  if (called !== stackName({ name, environment }) || domain === undefined || certificateArn === undefined) return [];
  return [{ name, environment, domain, certificateArn }];
};

/** @throws Refused when no stack fits, Misuse naming --name when several do. */
export const findDeployment = (
  stacks: readonly DeployedStack[],
  wanted: { readonly environment: string; readonly domain: string; readonly name?: string | undefined },
): Deployed => {
  const { environment, domain, name } = wanted;
  const fitting = stacks
    .flatMap(readStack)
    .filter(
      (one) => one.environment === environment && one.domain === domain && (name === undefined || one.name === name),
    );
  const [first, ...others] = fitting;
  if (first === undefined)
    throw new Refused(
      `no stack deployed in this region is ${name === undefined ? '' : `called ${name}, `}of environment ${environment} and domain ${domain}; deploy it first (cdk deploy), or check --aws-region`,
    );
  if (others.length > 0)
    throw new Misuse(`--name: several stacks fit: ${fitting.map((one) => one.name).join(', ')}; say which`);
  return first;
};

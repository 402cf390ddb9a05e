/** Which deployment a command line means: by its name, or the stack that says that environment and domain; pure. */
import type { Outputs } from '../aws/operator.ts';
import type { Deployment } from '../names.ts';
import { Misuse, Refused } from './failure.ts';

export interface Deployed extends Deployment {
  readonly domain: string;
  /** The ACM certificate that the domain serves. */
  readonly certificateArn: string;
}

/** @throws Refused when no stack fits, Misuse naming --name when several do. */
export const findDeployment = (
  stacks: readonly Outputs[],
  wanted: { readonly environment: string; readonly domain: string; readonly name?: string | undefined },
): Deployed => {
  const { environment, domain, name } = wanted;
  const fitting = stacks.filter(
    (outputs) =>
      outputs.Environment === environment && outputs.Domain === domain && (name === undefined || outputs.Name === name),
  );
  const [first, ...others] = fitting;
  if (first?.Name === undefined || first.DomainCertificateArn === undefined)
    throw new Refused(
      `no stack deployed in this region is ${name === undefined ? '' : `called ${name}, `}of environment ${environment} and domain ${domain}; deploy it first (cdk deploy), or check --aws-region`,
    );
  if (others.length > 0)
    throw new Misuse(`--name: several stacks fit: ${fitting.map((one) => one.Name).join(', ')}; say which`);
  return { name: first.Name, environment, domain, certificateArn: first.DomainCertificateArn };
};

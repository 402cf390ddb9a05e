/** Signing as every function but the signer does it: by asking the signer. */
import { type Sign, signedSchema } from '../authority/sign-request.ts';
import type { Deployment } from '../names.ts';
import { invokeFunction } from './invoke.ts';

export const signThroughFunction =
  (deployment: Deployment): Sign =>
  (request) =>
    invokeFunction(deployment, 'sign-certificate', request, signedSchema);

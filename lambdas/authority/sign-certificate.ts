/** Signs a root or a leaf with the authority's key: the one function whose role may. */
import { signLeaf, signRoot } from '../../src/authority/sign.ts';
import { signRequestSchema } from '../../src/authority/sign-request.ts';
import { openSigner } from '../../src/aws/signer.ts';
import { internal } from '../../src/remote-error.ts';

export const handler = internal(signRequestSchema, async (request) => {
  const signer = await openSigner();
  return request.profile === 'root' ? signRoot(signer, request) : signLeaf(signer, request);
});

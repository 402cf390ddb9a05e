/** REQUEST authorizer in front of every method: lets a request in only with a live certificate of an active principal. */
import { authorizerFromEnvironment } from '../../src/access/authorize.ts';

export const handler = authorizerFromEnvironment();

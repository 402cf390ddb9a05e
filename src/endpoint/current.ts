/** What an endpoint serves, as its row keeps it and the index by expiry finds it. */
import { expiryBucket } from '../certificate/expiry.ts';
import type { Current } from './endpoint.ts';

/** The attributes that are set together when another certificate was seen served. */
export const currentAttributes = (current: Current) => ({
  current,
  expires_at: current.not_after,
  expiry_bucket: expiryBucket(current.not_after, current.serial_number),
});

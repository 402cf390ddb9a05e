/** Serial numbers: time-ordered, unguessable, lower-case hex of even length without leading zero bytes. */
import { z } from 'zod';

/** RFC 5280 4.1.2.2: positive, at most 20 octets; a first bit of 1 would be a negative number. */
export const serialGrammar = /^(?!00)[0-7][0-9a-f](?:[0-9a-f]{2}){0,19}$/;

export const serialSchema = z
  .string()
  .regex(
    serialGrammar,
    'must be a positive number of at most 20 bytes with the first bit clear, as lower-case hex of even length without leading zero bytes',
  );

const clockBytes = 6;
const randomSize = 10;

/** A 48-bit millisecond clock, then 80 random bits. `now` in ms since the epoch. */
export const newSerial = (now: number, randomBytes: (size: number) => Uint8Array): string => {
  const clock = Math.floor(now)
    .toString(16)
    .padStart(clockBytes * 2, '0');
  return (clock + Buffer.from(randomBytes(randomSize)).toString('hex')).replace(/^(?:00)+/, '');
};

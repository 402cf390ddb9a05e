/** DynamoDB's numbers have up to 38 digits, JavaScript's about 16: what is lost of one is never taken for another. */

const decimal = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

export interface Whole {
  /** The largest whole number that is not above it, as far as JavaScript counts whole numbers one by one. */
  readonly floor: number;
  /** Whether it is that number itself. */
  readonly exact: boolean;
}

export const wholeOf = (text: string): Whole => {
  if (/^\d{1,15}$/.test(text)) return { floor: Number(text), exact: true };
  const [, sign, before = '', after = '', exponent = '0'] = decimal.exec(text) ?? [];
  const digits = before + after;
  const point = Math.max(0, before.length + Number(exponent));
  // With a negative exponent, all digits stand after the point; what zeros come between does not matter.
  const exact = !/[1-9]/.test(digits.slice(point));
  const whole = Number(digits.slice(0, point).padEnd(point, '0'));
  const floor = sign === '-' ? 0 - whole - (exact ? 0 : 1) : whole;
  if (Number.isSafeInteger(floor)) return { floor, exact };
  return { floor: floor < 0 ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER, exact: false };
};

/** A number that is no whole one, or none of JavaScript's. */
export interface Digits {
  readonly digits: string;
}

/** For `unmarshall`: whole numbers as such, and of any other its digits. */
export const exactNumber = (text: string): number | Digits => {
  const { floor, exact } = wholeOf(text);
  return exact ? floor : { digits: text };
};

/** Reads DER (X.690) strictly: one way to write a thing, and nothing after it. What is merely BER is refused. */

/** The bytes are not DER. The message says what is wrong with them, never what they hold. */
export class MalformedDer extends Error {}

export interface Der {
  /** The identifier octet: class, constructed bit and tag number. */
  readonly tag: number;
  /** The whole element, header included. */
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
  /** Empty for a primitive element. */
  readonly children: readonly Der[];
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
} as const;

const deepest = 16;
const constructed = 0x20;
const contextClass = 0x80;

/** Exactly one element. @throws MalformedDer */
export const readDer = (bytes: Uint8Array): Der => {
  const { element, end } = readElement(bytes, 0, 0);
  if (end !== bytes.length) throw new MalformedDer('trailing bytes');
  return element;
};

const readElement = (bytes: Uint8Array, start: number, depth: number): { element: Der; end: number } => {
  if (depth > deepest) throw new MalformedDer('nested too deeply');
  const tag = bytes[start];
  if (tag === undefined) throw new MalformedDer('cut short');
  if ((tag & 0x1f) === 0x1f) throw new MalformedDer('long tag');
  const { length, header } = readLength(bytes, start + 1);
  const from = start + 1 + header;
  const end = from + length;
  if (end > bytes.length) throw new MalformedDer('cut short');
  const content = bytes.subarray(from, end);
  const children: Der[] = [];
  if ((tag & constructed) !== 0) {
    if (tag < contextClass && tag !== tags.sequence && tag !== tags.set)
      throw new MalformedDer('constructed primitive');
    for (let at = from; at < end; ) {
      const child = readElement(bytes.subarray(0, end), at, depth + 1);
      children.push(child.element);
      at = child.end;
    }
  } else checkPrimitive(tag, content);
  return { element: { tag, bytes: bytes.subarray(start, end), content, children }, end };
};

const readLength = (bytes: Uint8Array, at: number): { length: number; header: number } => {
  const first = bytes[at];
  if (first === undefined) throw new MalformedDer('cut short');
  if (first < 0x80) return { length: first, header: 1 };
  const count = first & 0x7f;
  if (count === 0) throw new MalformedDer('indefinite length');
  if (count > 3) throw new MalformedDer('too long');
  let length = 0;
  for (let i = 1; i <= count; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new MalformedDer('cut short');
    length = length * 256 + byte;
  }
  if (length < 0x80 || length < 256 ** (count - 1)) throw new MalformedDer('length not minimal');
  return { length, header: 1 + count };
};

const checkPrimitive = (tag: number, content: Uint8Array): void => {
  const [first = 0, second = 0] = content;
  switch (tag) {
    case tags.sequence & ~constructed:
    case tags.set & ~constructed:
      throw new MalformedDer('primitive sequence');
    case tags.boolean:
      if (content.length !== 1 || (first !== 0 && first !== 0xff)) throw new MalformedDer('boolean not 00 or FF');
      return;
    case tags.integer:
      if (content.length === 0) throw new MalformedDer('empty integer');
      if (content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
        throw new MalformedDer('integer not minimal');
      return;
    case tags.bitString:
      if (content.length === 0 || first > 7 || (content.length === 1 && first !== 0))
        throw new MalformedDer('bad bit string');
      if (((content.at(-1) ?? 0) & ((1 << first) - 1)) !== 0 && content.length > 1)
        throw new MalformedDer('unused bits set');
      return;
    case tags.null:
      if (content.length !== 0) throw new MalformedDer('null with content');
      return;
    case tags.oid:
      readOid(content);
  }
};

/** Dotted decimal of an object identifier's content. @throws MalformedDer */
export const readOid = (content: Uint8Array): string => {
  const arcs: number[] = [];
  let value = 0;
  let begun = false;
  for (const byte of content) {
    if (!begun && byte === 0x80) throw new MalformedDer('object identifier not minimal');
    if (value > 2 ** 40) throw new MalformedDer('object identifier too large');
    value = value * 128 + (byte & 0x7f);
    begun = (byte & 0x80) !== 0;
    if (!begun) {
      arcs.push(value);
      value = 0;
    }
  }
  const [root, ...rest] = arcs;
  if (root === undefined || begun) throw new MalformedDer('object identifier cut short');
  const first = Math.min(Math.floor(root / 40), 2);
  return [first, root - 40 * first, ...rest].join('.');
};

/** Reasons as a client or a log may see them: break-glass edits pass no validation, so the gate cuts and cleans them itself. */

/** What is said where no reason stands. */
const none = 'record invalid';
const longest = 256;

/** Control characters, lone surrogates, line separators and what turns the direction of text around. */
export const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]/gu;

/** `text` on one printable line of at most `length` characters (code points); quotes and backslashes stay. */
export const clean = (text: string, length = longest): string =>
  [
    ...text
      .slice(0, 4 * length)
      .replace(unprintable, ' ')
      .trim(),
  ]
    .slice(0, length)
    .join('')
    .trim();

/** The reason to tell, cut to 256 characters; 'record invalid' where the row holds none. */
export const cleanReason = (reason: string | undefined): string => clean(reason ?? '') || none;

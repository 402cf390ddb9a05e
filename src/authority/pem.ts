/** The certificates in a PEM text, whatever stands around them; what is inside a block is not looked at. */
export const certificateBlocks = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];

/** Bounds of ruleset 1. They decide which blocks are valid, so a change of any of them is a new ruleset. */
export const LIMITS = {
  /** The transaction's JSON body (the DSSE payload). */
  bodyBytesMax: 32 * 1024,
  envelopeBytesMax: 48 * 1024,
  bodyDepthMax: 16,
  recordsPerTransactionMax: 64,
  recordBytesMax: 16 * 1024,
  /** An entry of a tlog-tiles bundle has a 16-bit length. */
  leafBytesMax: 65_535,
} as const;

export type Limits = { readonly [name in keyof typeof LIMITS]: number };

// The browser's half of token.ts: nothing here knows of Node.
import { fromHex } from '../../src/codec/hex.ts';
import { verifyReference } from '../../src/crypto/reference.ts';
import { readTrust, verifyToken } from '../../src/token/browser.ts';

export type Measured = { readonly one: number; readonly token: number };

/** Milliseconds of one signature check and of one whole token. */
export function measure(given: {
  readonly token: string;
  readonly trust: string;
  readonly message: string;
  readonly signature: string;
  readonly publicKey: string;
}): Measured {
  const trust = readTrust(given.trust);
  const message = fromHex(given.message);
  const signature = fromHex(given.signature);
  const publicKey = fromHex(given.publicKey);
  const one = median(() => verifyReference(message, signature, publicKey));
  return { one, token: median(() => verifyToken(given.token, { trust })) };
}

function median(run: () => unknown): number {
  for (let n = 0; n < 40; n += 1) run();
  const times = Array.from({ length: 60 }, () => {
    const begun = performance.now();
    run();
    return performance.now() - begun;
  });
  return times.sort((a, b) => a - b)[30] ?? 0;
}

// `node test/bench/token.ts`: what verifying a token costs beside the q + 1 bare signature checks that it holds, in Node (libsodium) and
// in Chromium (noble), and how large a token is. Prints; asserts nothing.
import { performance } from 'node:perf_hooks';
import { verifyConsensus } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { cosignatureMessage, parseCosignature } from '../../src/log/cosignature.ts';
import { parseNote } from '../../src/log/note.ts';
import { parseToken } from '../../src/token/form.ts';
import { statusPaths, verifyToken } from '../../src/token/node.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { launchChromium } from '../browser/chromium.ts';
import { serveModules } from '../browser/modules.ts';
import { sampleNetwork } from '../log/sample.ts';
import { largestGrantText } from '../token/leaves.ts';
import { logWith, tokenOf } from '../token/makeVectors.ts';
import { goodState, intent, SampleChain } from '../token/statusSample.ts';

/** Milliseconds that one call takes: the median of rounds, each of which is long enough to be measured. */
function millisecondsOf(run: () => unknown, rounds = 15, roundMs = 40): number {
  let calls = 1;
  for (;;) {
    const begun = performance.now();
    for (let n = 0; n < calls; n += 1) run();
    if (performance.now() - begun >= roundMs) break;
    calls *= 2;
  }
  const times = Array.from({ length: rounds }, () => {
    const begun = performance.now();
    for (let n = 0; n < calls; n += 1) run();
    return (performance.now() - begun) / calls;
  });
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

const network = sampleNetwork();
const { trust } = network;
const token = tokenOf(logWith([largestGrantText()], 5, 4_000), network, 5);
const chain = new SampleChain(goodState);
const status = chain.status(statusPaths({ intent, requester: 'remedy.engine', audience: 'actuator-web-3' }));
process.stdout.write(
  `token: ${token.length} bytes, ${parseToken(token).hashes.length} hashes, ${trust.quorum} cosignatures and a log signature\nstatus: ${status.length} bytes\n`,
);

const { text, signatures } = parseNote(chain.log.checkpoint(network));
const [, line] = signatures;
const cosignature = parseCosignature(line?.blob ?? new Uint8Array());
const key = trust.cosigners.find((each) => each.key.name === line?.name)?.key;
if (cosignature === undefined || key === undefined) throw new Error('the sample has no cosignature');
const message = cosignatureMessage(cosignature.timeS, text);
const bare = { message, signature: cosignature.signature, publicKey: key.publicKey };

const oneMs = millisecondsOf(() => verifyConsensus(bare.message, bare.signature, bare.publicKey));
report(
  'Node, libsodium',
  oneMs,
  millisecondsOf(() => verifyToken(token, { trust })),
);

const browser = await launchChromium();
if (browser !== undefined) {
  const served = await serveModules('test/bench/tokenInBrowser.ts');
  const page = await browser.open(served.url);
  await page.waitFor('window.loaded !== undefined');
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const args = {
    token,
    trust: formatTrust(sha256, trust),
    message: hex(bare.message),
    signature: hex(bare.signature),
    publicKey: hex(bare.publicKey),
  };
  const found = await page.evaluate<{ one: number; token: number }>(`window.loaded.measure(${JSON.stringify(args)})`);
  report(`${await browser.version()}, noble`, found.one, found.token);
  await browser.close();
  served.close();
}

function report(where: string, one: number, whole: number): void {
  const signatures = trust.quorum + 1;
  process.stdout.write(
    `${where}: one signature ${one.toFixed(3)} ms, a token ${whole.toFixed(3)} ms = ${(whole / (signatures * one)).toFixed(2)} times its ${signatures} signatures\n`,
  );
}

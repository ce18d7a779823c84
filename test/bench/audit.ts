// `node test/bench/audit.ts [--transactions 100000] [--archive FILE] [--threads N] [--libsodium] [--json]`: how fast `weft audit` is, as a
// part of what the bare checks of the same signatures would take on all cores with the same verifier. The audit is a process of its own;
// its memory is what the kernel saw at most. CPU beside the clock: on a machine with other work only it can be compared.
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { ed25519Signer, startNative, stopNative } from '../../src/crypto/ed25519.ts';
import { ALG_ED25519 } from '../../src/crypto/keyId.ts';
import { packJob } from '../../src/crypto/verifyBatch.ts';
import { verifyPacked } from '../../src/crypto/verifyJobs.ts';
import { wholeFrom } from '../options.ts';
import { makeBigArchive } from './bigArchive.ts';
import { machine } from './processes.ts';
import { runWeft } from './weftProcess.ts';

/** Of one batch, and bytes of one transaction's PAE. */
const batch = 256;
const messageBytes = 330;

/** One thread: signatures of 16 keys in batches, as the audit's threads check them, until the time is over. */
function bareThread(shared: SharedArrayBuffer, seconds: number): void {
  startNative();
  const slab = new Uint8Array(256 * 1024);
  const signers = Array.from({ length: 16 }, (_, i) => ed25519Signer(new Uint8Array(32).fill(i)));
  let at = 0;
  for (let i = 0; i < batch; i += 1) {
    const signer = signers[i % 16]!;
    const message = new Uint8Array(messageBytes).fill(i);
    at = packJob(slab, at, { alg: ALG_ED25519, message, publicKey: signer.publicKey, signature: signer.sign(message) });
  }
  const run = (until: number): number => {
    let count = 0;
    for (; performance.now() < until; count += batch) {
      const verdicts = new Uint8Array(batch);
      verifyPacked(slab, batch, 'consensus', false, verdicts);
      if (verdicts.includes(0)) throw new Error('a signature does not hold');
    }
    return count;
  };
  run(performance.now() + 300);
  const words = new Float64Array(shared);
  const [began, before] = [performance.now(), process.threadCpuUsage()];
  words[0] = run(began + seconds * 1000);
  const { user, system } = process.threadCpuUsage(before);
  words[1] = (performance.now() - began) / 1000;
  words[2] = (user + system) / 1e6;
}

type Rate = { readonly perSecond: number; readonly cpuMicroseconds: number };

async function bare(threads: number): Promise<Rate> {
  const all = await Promise.all(
    Array.from({ length: threads }, async () => {
      const shared = new SharedArrayBuffer(24);
      const worker = new Worker(new URL(import.meta.url), { workerData: { shared, seconds: 3 } });
      await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
      return new Float64Array(shared);
    }),
  );
  const sum = (of: (words: Float64Array) => number): number => all.reduce((total, words) => total + of(words), 0);
  return {
    perSecond: sum((words) => words[0]! / words[1]!),
    cpuMicroseconds: (sum((words) => words[2]!) * 1e6) / sum((words) => words[0]!),
  };
}

async function audit(
  archive: string,
  options: readonly string[],
): Promise<Rate & { readonly transactions: number; readonly residentMiB: number }> {
  const { seconds, cpuSeconds, residentMiB, last } = await runWeft(['audit', archive, '--json', ...options]);
  const { transactions } = JSON.parse(last) as { transactions: number };
  return {
    transactions,
    perSecond: transactions / seconds,
    cpuMicroseconds: (1e6 * cpuSeconds) / transactions,
    residentMiB,
  };
}

const dir = mkdtempSync(join(tmpdir(), 'weft-audit-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      transactions: { type: 'string', default: '100000' },
      archive: { type: 'string' },
      threads: { type: 'string' },
      libsodium: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const transactions = wholeFrom('transactions', values.transactions, 1000);
  if (values.libsodium) process.env['WEFT_NATIVE'] = '0';
  const verifier = typeof startNative() === 'string' ? 'libsodium' : 'native';
  stopNative();
  /** Made once, and kept where a file is named. */
  const archive = values.archive ?? join(dir, 'chain.weft');
  if (!existsSync(archive)) {
    const began = performance.now();
    const { blocks } = await makeBigArchive({ file: archive, transactions });
    process.stderr.write(`${blocks} blocks made in ${Math.round((performance.now() - began) / 1000)} s\n`);
  }
  const signatures = await bare(availableParallelism());
  const found = await audit(archive, values.threads === undefined ? [] : ['--threads', values.threads]);
  const figures = {
    machine: machine(),
    verifier,
    cores: availableParallelism(),
    threads: values.threads ?? 'default',
    transactions: found.transactions,
    archiveMiB: Math.round(statSync(archive).size / 2 ** 20),
    auditPerSecond: Math.round(found.perSecond),
    barePerSecond: Math.round(signatures.perSecond),
    fraction: Number((found.perSecond / signatures.perSecond).toFixed(3)),
    auditCpuMicroseconds: Number(found.cpuMicroseconds.toFixed(1)),
    bareCpuMicroseconds: Number(signatures.cpuMicroseconds.toFixed(1)),
    fractionOfCpu: Number((signatures.cpuMicroseconds / found.cpuMicroseconds).toFixed(3)),
    residentMiB: Math.round(found.residentMiB),
  };
  const text = Object.entries(figures).map(
    ([name, value]) => `${name.padEnd(22)} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : `${text.join('\n')}\n`);
}

if (isMainThread) await main();
else bareThread((workerData as { shared: SharedArrayBuffer }).shared, (workerData as { seconds: number }).seconds);

// How long one round of three hops takes between four processes: proposal, notarize votes, finalize votes; idle and
// beside a bulk lane that carries 1 MiB bodies. Prints JSON. `node test/bench/net.ts [rounds]`
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { toHex } from '../../src/codec/hex.ts';
import { generateSeed, publicKeyOf } from '../../src/crypto/ed25519.ts';
import type { PeerMessage } from './netPeer.ts';

type Result = { readonly p50: number; readonly p99: number; readonly cpuMs: number };

function answer<T>(child: ChildProcess, message: PeerMessage): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (reply) => resolve(reply as T));
    child.once('exit', (code) => reject(new Error(`peer ended with ${code}`)));
    child.send(message);
  });
}

const rounds = Number(process.argv[2] ?? 500);
const seeds = Array.from({ length: 4 }, () => generateSeed());
const keys = seeds.map((seed) => toHex(publicKeyOf(seed)));
const children = seeds.map(() => fork(join(import.meta.dirname, 'netPeer.ts')));
const started = await Promise.all(
  children.map((child, index) =>
    answer<{ addresses: string[] }>(child, { type: 'start', index, seeds: seeds.map(toHex), keys }),
  ),
);
const addresses = started.map((reply) => reply.addresses);
await Promise.all(children.map((child) => answer(child, { type: 'peers', addresses })));
const [leader] = children;
if (leader === undefined) throw new Error('no leader');
await answer<Result>(leader, { type: 'run', rounds: 100, load: false });
for (const child of children.slice(1)) child.removeAllListeners('exit');
const idle = await answer<Result>(leader, { type: 'run', rounds, load: false });
const loaded = await answer<Result>(leader, { type: 'run', rounds: Math.min(rounds, 200), load: true });
for (const child of children) child.removeAllListeners('exit').kill();
process.stdout.write(`${JSON.stringify({ roundMs: idle, besideBulkMs: loaded })}\n`);

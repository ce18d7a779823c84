import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, renameSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createNetwork as createReal } from '../../../src/net/network.ts';
import type { CreateNetwork, Network } from '../../../src/net/types.ts';
import { frameKinds } from '../../../src/node/wire.ts';

/**
 * Every frame with a vote in it, written down before it leaves; appended to over all lives of the node. WEFT_TEST_RECORD_BYTES
 * closes the file at that length, as `<file>.<n>`, and goes on in a new one. Kinds in WEFT_TEST_MUTE are written and not sent;
 * WEFT_TEST_LOSE (`kind:share`) loses that share of one kind.
 */

const path = process.env['WEFT_TEST_RECORD'];
const bytesMax = Number(process.env['WEFT_TEST_RECORD_BYTES'] ?? Number.POSITIVE_INFINITY);
const muted: ReadonlySet<number> = new Set(
  (process.env['WEFT_TEST_MUTE'] ?? '').split(',').filter(Boolean).map(Number),
);
const [loseKind, loseShare] = (process.env['WEFT_TEST_LOSE'] ?? '0:0').split(':').map(Number);
const keepsBack = (kind: number): boolean => muted.has(kind) || (kind === loseKind && Math.random() < (loseShare ?? 0));
const recorded: ReadonlySet<number> = new Set([
  frameKinds.notarize,
  frameKinds.nullify,
  frameKinds.finalize,
  frameKinds.certificate,
  frameKinds.proposal,
]);

let file = path === undefined ? -1 : openSync(path, 'a');
let written = 0;
/** What goes to three peers, and again, is written once. */
const recent = new Set<string>();
const recentMax = 2048;

function record(kind: number, payload: Uint8Array): void {
  if (path === undefined || !recorded.has(kind)) return;
  const digest = createHash('sha256').update(payload).digest('latin1') + kind;
  if (recent.has(digest)) return;
  recent.add(digest);
  if (recent.size > recentMax) recent.delete(recent.values().next().value ?? '');
  // One write, whole lines: what a killed process had written stays.
  written += writeSync(file, `${kind} ${Buffer.from(payload).toString('base64')}\n`);
  if (written >= bytesMax) begin(path);
}

function begin(current: string): void {
  closeSync(file);
  const numbers = readdirSync(dirname(current))
    .filter((name) => name.startsWith(`${basename(current)}.`))
    .map((name) => Number(name.split('.').at(-1)));
  renameSync(current, join(dirname(current), `${basename(current)}.${Math.max(0, ...numbers) + 1}`));
  file = openSync(current, 'a');
  written = 0;
}

export const createNetwork: CreateNetwork = async (options, modules) => {
  const network = await createReal(options, modules);
  const recording: Network = {
    name: network.name,
    peerId: network.peerId,
    addresses: () => network.addresses(),
    send(peer, lane, kind, payload, hint) {
      record(kind, payload);
      if (keepsBack(kind)) return true;
      return network.send(peer, lane, kind, payload, hint);
    },
    broadcast(lane, kind, payload, hint) {
      record(kind, payload);
      if (keepsBack(kind)) return;
      network.broadcast(lane, kind, payload, hint);
    },
    request: (peer, kind, payload, requestOptions) => network.request(peer, kind, payload, requestOptions),
    connected: (peer) => network.connected(peer),
    askable: () => network.askable(),
    heardMs: (validator) => network.heardMs(validator),
    publish: (topic, data, only) => network.publish(topic, data, only),
    setPeers: (peers, role) => network.setPeers(peers, role),
    stats: () => network.stats(),
    close: () => network.close(),
  };
  return recording;
};

import { openSync, writeSync } from 'node:fs';
import { createNetwork as createReal } from '../../../src/net/network.ts';
import type { CreateNetwork, Network } from '../../../src/net/types.ts';
import { frameKinds } from '../../../src/node/wire.ts';

/** Every frame with a vote in it, written down before it leaves; appended to over all lives of the node. */

const path = process.env['WEFT_TEST_RECORD'] ?? '';
const file = openSync(path, 'a');
const recorded: ReadonlySet<number> = new Set([
  frameKinds.notarize,
  frameKinds.nullify,
  frameKinds.finalize,
  frameKinds.certificate,
  frameKinds.proposal,
]);

function record(kind: number, payload: Uint8Array): void {
  // One write, whole lines: what a killed process had written stays.
  if (recorded.has(kind)) writeSync(file, `${kind} ${Buffer.from(payload).toString('base64')}\n`);
}

export const createNetwork: CreateNetwork = async (options, modules) => {
  const network = await createReal(options, modules);
  const recording: Network = {
    name: network.name,
    peerId: network.peerId,
    addresses: () => network.addresses(),
    send(peer, lane, kind, payload, hint) {
      record(kind, payload);
      return network.send(peer, lane, kind, payload, hint);
    },
    broadcast(lane, kind, payload, hint) {
      record(kind, payload);
      network.broadcast(lane, kind, payload, hint);
    },
    request: (peer, kind, payload, requestOptions) => network.request(peer, kind, payload, requestOptions),
    connected: (peer) => network.connected(peer),
    askable: () => network.askable(),
    heardMs: (validator) => network.heardMs(validator),
    publish: (topic, data) => network.publish(topic, data),
    setPeers: (peers, role) => network.setPeers(peers, role),
    stats: () => network.stats(),
    close: () => network.close(),
  };
  return recording;
};

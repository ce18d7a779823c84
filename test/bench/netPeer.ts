// One validator of test/bench/net.ts, in a process of its own. Speaks JSON with its parent over IPC.
import { createNetwork } from '../../src/net/network.ts';
import type { Network } from '../../src/net/types.ts';

export type PeerMessage =
  | {
      readonly type: 'start';
      readonly index: number;
      readonly seeds: readonly string[];
      readonly keys: readonly string[];
    }
  | { readonly type: 'peers'; readonly addresses: readonly (readonly string[])[] }
  | { readonly type: 'run'; readonly rounds: number; readonly load: boolean };

let network: Network;
let index = 0;
let keys: readonly string[] = [];
let others = 0;
const votes = new Map<string, number>();
/** Never used twice, because the others do not know where a run begins. */
let nextRound = 0;
let finished: (() => void) | undefined;

const proposal = 1;
const notarize = 2;
const finalize = 3;

/** Round number in the first four bytes, padded to the size of the real thing. */
function message(round: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, round);
  return bytes;
}

/** Counts votes of a phase (our own among them); true when the quorum of 3 of 4 is reached by this one. */
function counted(kind: number, round: number): boolean {
  const key = `${kind}/${round}`;
  const count = (votes.get(key) ?? 0) + 1;
  votes.set(key, count);
  return count === others + 1 - Math.floor(others / 3);
}

function vote(kind: number, round: number): void {
  network.broadcast('urgent', kind, message(round, 180), { class: 'vote', view: round });
  onVote(kind, round);
}

function onVote(kind: number, round: number): void {
  if (!counted(kind, round)) return;
  if (kind === notarize) vote(finalize, round);
  else if (index === 0) finished?.();
}

async function run(rounds: number, load: boolean): Promise<void> {
  const times: number[] = [];
  let stop = false;
  const body = new Uint8Array(1024 * 1024);
  const pump = async (): Promise<void> => {
    while (!stop) {
      network.broadcast('bulk', 9, body);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const pumping = load ? pump() : undefined;
  const cpu = process.cpuUsage();
  for (const end = nextRound + rounds; nextRound < end; nextRound++) {
    const round = nextRound;
    const from = performance.now();
    await new Promise<void>((resolve) => {
      finished = resolve;
      network.broadcast('urgent', proposal, message(round, 2000), { class: 'proposal', view: round });
      vote(notarize, round);
    });
    times.push(performance.now() - from);
  }
  stop = true;
  await pumping;
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  process.send?.({ p50: at(0.5), p99: at(0.99), cpuMs: (used.user + used.system) / 1000 / rounds });
}

process.on('message', async (received: PeerMessage) => {
  if (received.type === 'start') {
    index = received.index;
    keys = received.keys;
    others = keys.length - 1;
    network = await createNetwork(
      {
        chain: 'bench',
        name: `v${index}`,
        role: 'validator',
        peerSeed: Buffer.from(received.seeds[index] ?? '', 'hex'),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        peers: [],
      },
      {
        log: { debug: () => {}, info: () => {}, warn: (details, text) => console.error(text, details) },
        handlers: {
          hello: () => new Uint8Array(0),
          onHello: () => {},
          onFrame: ({ kind, payload }) => {
            const round = payload.length < 4 ? 0 : Buffer.from(payload.buffer, payload.byteOffset).readUInt32BE(0);
            if (kind === proposal) vote(notarize, round);
            else if (kind === notarize || kind === finalize) onVote(kind, round);
          },
          onRequest: async () => undefined,
          verifyRelayed: () => 'unknown',
          onGossip: () => 'ignore',
        },
      },
    );
    process.send?.({ addresses: network.addresses() });
  } else if (received.type === 'peers') {
    network.setPeers(
      keys.map((key, other) => ({
        name: `v${other}`,
        role: 'validator',
        peerKey: Buffer.from(key, 'hex'),
        addresses: received.addresses[other] ?? [],
      })),
    );
    while (network.stats().urgent.lanes < others || network.stats().bulk.lanes < others) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    process.send?.({ ready: true });
  } else await run(received.rounds, received.load);
});

import { generateSeed, publicKeyOf } from '../../src/crypto/ed25519.ts';
import { createNetwork } from '../../src/net/network.ts';
import type {
  Frame,
  FrameVerdict,
  GossipVerdict,
  Network,
  NetworkHandlers,
  NetworkLimits,
  NetworkPeer,
  NetworkTimings,
  RelayVerdict,
  Role,
} from '../../src/net/types.ts';

/** Networks in one process on 127.0.0.1, with recording owners. */
export type Member = {
  readonly name: string;
  readonly role: Role;
  readonly seed: Uint8Array;
  readonly peerKey: Uint8Array;
  readonly network: Network;
  readonly frames: Frame[];
  readonly hellos: { peer: string; text: string }[];
  readonly events: string[];
  readonly gossip: { topic: string; text: string; from: string }[];
  readonly warnings: string[];
  readonly heard: string[];
};

export type Behaviour = {
  readonly onFrame?: (frame: Frame) => FrameVerdict;
  readonly onRequest?: NetworkHandlers['onRequest'];
  readonly verifyRelayed?: (kind: number, payload: Uint8Array) => RelayVerdict;
  readonly onGossip?: (data: Uint8Array) => GossipVerdict;
};

const fast: Partial<NetworkTimings> = {
  pingMs: 100,
  bulkPingMs: 200,
  urgentSilentMs: 2000,
  bulkSilentMs: 4000,
  relayAfterMs: 300,
  relayOnceMs: 300,
  reconnectMinMs: 30,
  reconnectMaxMs: 300,
  penaltyMinMs: 200,
  penaltyMaxMs: 1000,
};

export const chain = 'test-0123456789abcdef';

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export async function until(what: string, holds: () => boolean, timeoutMs = 8000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Seeds for the names, so that peer keys ascend in the order of the names: the first dials all others. */
export function orderedSeeds(count: number): Uint8Array[] {
  const seeds = Array.from({ length: count }, () => generateSeed());
  return seeds.sort((a, b) => Buffer.compare(publicKeyOf(a), publicKeyOf(b)));
}

export async function startMember(
  name: string,
  role: Role,
  seed: Uint8Array,
  peers: readonly NetworkPeer[],
  options: { behaviour?: Behaviour; limits?: Partial<NetworkLimits>; listen?: string[]; chain?: string } = {},
): Promise<Member> {
  const frames: Frame[] = [];
  const hellos: Member['hellos'] = [];
  const events: string[] = [];
  const gossip: Member['gossip'] = [];
  const warnings: string[] = [];
  const heard: string[] = [];
  const { behaviour = {} } = options;
  const network = await createNetwork(
    {
      chain: options.chain ?? chain,
      name,
      role,
      peerSeed: seed,
      listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0'],
      peers,
      timings: fast,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
    {
      log: {
        debug: (details, message) => {
          if (process.env['NET_DEBUG']) console.error(name, message, JSON.stringify(details));
        },
        info: () => {},
        warn: (details, message) => warnings.push(`${message} ${JSON.stringify(details)}`),
      },
      handlers: {
        hello: (peer) => bytes(`hello from ${name} to ${peer}`),
        onHello: (peer, payload) => {
          hellos.push({ peer, text: text(payload) });
        },
        onFrame: (frame) => {
          frames.push(frame);
          return behaviour.onFrame?.(frame);
        },
        onRequest: behaviour.onRequest ?? (async () => undefined),
        verifyRelayed: behaviour.verifyRelayed ?? (() => 'unknown'),
        onUp: (peer) => events.push(`up ${peer}`),
        onDown: (peer) => events.push(`down ${peer}`),
        onHeard: (peer) => heard.push(peer),
        onGossip: (topic, data, from) => {
          gossip.push({ topic, text: text(data), from });
          return behaviour.onGossip?.(data) ?? 'accept';
        },
      },
    },
  );
  const peerKey = publicKeyOf(seed);
  return { name, role, seed, peerKey, network, frames, hellos, events, gossip, warnings, heard };
}

export function entry(member: Member, addresses: readonly string[] = member.network.addresses()): NetworkPeer {
  return { name: member.name, role: member.role, peerKey: member.peerKey, addresses };
}

/** Starts them and tells each of all others. `cut`: pairs of names that get no usable address of each other. */
export async function startMesh(
  roles: readonly Role[],
  options: {
    behaviour?: (name: string) => Behaviour;
    limits?: Partial<NetworkLimits>;
    cut?: readonly (readonly [string, string])[];
    introduce?: boolean;
  } = {},
): Promise<Member[]> {
  const seeds = orderedSeeds(roles.length);
  const members = await Promise.all(
    roles.map((role, index) =>
      startMember(`${role[0]}${index}`, role, seeds[index]!, [], {
        ...(options.behaviour === undefined ? {} : { behaviour: options.behaviour(`${role[0]}${index}`) }),
        ...(options.limits === undefined ? {} : { limits: options.limits }),
      }),
    ),
  );
  if (options.introduce !== false) introduce(members, options.cut);
  return members;
}

export function introduce(members: readonly Member[], cut: readonly (readonly [string, string])[] = []): void {
  for (const member of members) {
    member.network.setPeers(
      members.map((other) => {
        const isCut = cut.some((pair) => pair.includes(member.name) && pair.includes(other.name));
        return entry(other, isCut ? [] : other.network.addresses());
      }),
    );
  }
}

export async function closeAll(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map((member) => member.network.close()));
}

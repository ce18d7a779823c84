import { WeftError } from '../codec/error.ts';
import type { NetworkLimits, NetworkTimings } from './types.ts';

/** Bytes of payload that fit one frame whatever the configuration: both sides must agree on it, so it is part of the protocol. */
export const framePayloadBytesMax = 64 * 1024;

/** Room in a frame for the network's own headers around a payload (kind, correlation id, name of a relay's target). */
export const frameOverheadBytesMax = 512;

export const peerNameBytesMax = 64;

export const defaultLimits: NetworkLimits = {
  framePayloadBytesMax,
  // A block body is at most 1 MiB; the rest is room for the framing that the node puts around it.
  messageBytesMax: 1024 * 1024 + 256 * 1024,
  helloBytesMax: 4096,
  requestBytesMax: 64 * 1024,
  answerBytesMax: 1024 * 1024 + 128 * 1024,
  queueMessagesMax: 256,
  queueBytesMax: 4 * 1024 * 1024,
  requestsInFlightMax: 64,
  answersInFlightMax: 16,
  laneMessagesPerSecond: 2000,
  laneMessagesBurst: 4000,
  relayMemory: 8192,
  gossipInFlightMax: 256,
  gossipBytesMax: {
    headers: 128 * 1024,
    checkpoints: 64 * 1024,
    evidence: 128 * 1024,
    transactions: 256 * 1024,
  },
};

const defaultTimings: NetworkTimings = {
  pingMs: 500,
  bulkPingMs: 2000,
  urgentSilentMs: 5000,
  bulkSilentMs: 15_000,
  relayAfterMs: 1000,
  // Half of the engine's retry time (2 s), so that a relayed retry is not mistaken for the first copy.
  relayOnceMs: 1000,
  dialTimeoutMs: 5000,
  reconnectMinMs: 100,
  reconnectMaxMs: 2000,
  penaltyMinMs: 1000,
  penaltyMaxMs: 60_000,
};

function demand(holds: boolean, what: string): void {
  if (!holds) throw new WeftError('NET_OPTIONS_INVALID', `network option refused: ${what}`);
}

/** @throws WeftError NET_OPTIONS_INVALID naming the inequality that does not hold. */
export function checkLimits(given: Partial<NetworkLimits> | undefined): NetworkLimits {
  const limits = { ...defaultLimits, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === 'number')
      demand(Number.isSafeInteger(value) && value > 0, `${name} must be a positive integer`);
  }
  for (const [topic, bytes] of Object.entries(limits.gossipBytesMax)) {
    demand(
      Number.isSafeInteger(bytes) && bytes > 0 && bytes <= 1024 * 1024,
      `gossipBytesMax.${topic} must be 1…1048576`,
    );
  }
  demand(limits.framePayloadBytesMax <= framePayloadBytesMax, `framePayloadBytesMax ≤ ${framePayloadBytesMax}`);
  demand(limits.messageBytesMax >= limits.framePayloadBytesMax, 'messageBytesMax ≥ framePayloadBytesMax');
  demand(limits.messageBytesMax <= 64 * 1024 * 1024, 'messageBytesMax ≤ 64 MiB');
  demand(limits.helloBytesMax <= limits.framePayloadBytesMax, 'helloBytesMax ≤ framePayloadBytesMax');
  demand(limits.requestBytesMax + 16 <= limits.messageBytesMax, 'requestBytesMax + 16 ≤ messageBytesMax');
  demand(limits.answerBytesMax + 16 <= limits.messageBytesMax, 'answerBytesMax + 16 ≤ messageBytesMax');
  demand(limits.queueBytesMax >= limits.messageBytesMax, 'queueBytesMax ≥ messageBytesMax');
  demand(limits.laneMessagesBurst >= limits.queueMessagesMax, 'laneMessagesBurst ≥ queueMessagesMax');
  return limits;
}

/** @throws WeftError NET_OPTIONS_INVALID naming the inequality that does not hold. */
export function checkTimings(given: Partial<NetworkTimings> | undefined): NetworkTimings {
  const timings = { ...defaultTimings, ...given };
  for (const [name, value] of Object.entries(timings)) {
    demand(Number.isSafeInteger(value) && value > 0, `${name} must be a positive integer of milliseconds`);
  }
  demand(timings.bulkPingMs >= timings.pingMs, 'bulkPingMs ≥ pingMs');
  demand(timings.relayAfterMs >= 2 * timings.pingMs, 'relayAfterMs ≥ 2 × pingMs');
  demand(timings.urgentSilentMs > 2 * timings.pingMs, 'urgentSilentMs > 2 × pingMs');
  demand(timings.bulkSilentMs > 2 * timings.bulkPingMs, 'bulkSilentMs > 2 × bulkPingMs');
  demand(timings.reconnectMinMs <= timings.reconnectMaxMs, 'reconnectMinMs ≤ reconnectMaxMs');
  demand(timings.penaltyMinMs <= timings.penaltyMaxMs, 'penaltyMinMs ≤ penaltyMaxMs');
  return timings;
}

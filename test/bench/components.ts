import type { Frame } from './profile.ts';

/** Whose work a stack is: by the innermost frame that belongs to a part of a node. */

export type Component = {
  readonly name: string;
  readonly what: string;
  /** Light enough for dark letters. */
  readonly colour: string;
};

export const components = {
  network: { name: 'network', what: 'src/net, libp2p, sockets', colour: '#a9d0ec' },
  rpc: { name: 'RPC', what: 'src/rpc, ws, Fastify, queries, subscribers', colour: '#c6b5e8' },
  admission: { name: 'admission', what: 'admission, mempool, spreading to peers', colour: '#dba8d6' },
  decode: { name: 'decode', what: 'src/codec (both ways), JSON schemas', colour: '#f7e06e' },
  hash: { name: 'hash', what: 'SHA-256', colour: '#e6dcc0' },
  verify: { name: 'verify', what: 'signatures: checked, handed to the verify thread, made', colour: '#f08f74' },
  policy: { name: 'policy', what: 'Cedar and its cache', colour: '#c7e9a0' },
  execute: { name: 'contract/execute', what: 'contracts, blocks built and executed', colour: '#7fcdbb' },
  log: { name: 'log', what: 'src/log: tree, checkpoints, cosignatures', colour: '#8fd08a' },
  journal: { name: 'journal', what: 'votes and blocks before they are final', colour: '#fdb863' },
  store: { name: 'store', what: 'LevelDB, commits', colour: '#cba479' },
  consensus: { name: 'consensus', what: 'the engine and what carries it', colour: '#79aede' },
  gossip: { name: 'gossip', what: 'gossipsub', colour: '#62cbdc' },
  collection: { name: 'garbage collection', what: 'on the main thread', colour: '#f9bcc8' },
  other: { name: 'other', what: 'timers, the event loop, what belongs to none', colour: '#d4d4d4' },
} as const satisfies Record<string, Component>;

export type ComponentKey = keyof typeof components;
export const componentKeys = Object.keys(components) as ComponentKey[];

/** First match counts. Older names of files stand beside today's, so that profiles of both can be compared. */
const byPath: readonly (readonly [ComponentKey, RegExp])[] = [
  ['gossip', /gossipsub|\/src\/net\/gossip\.ts/],
  ['store', /node_modules\/(classic-level|abstract-level|level[^/]*)\//],
  ['verify', /node_modules\/(sodium-native|@noble\/(curves|ed25519))\//],
  ['hash', /node_modules\/@noble\/hashes\/|^node:internal\/crypto\/hash/],
  ['policy', /node_modules\/@cedar-policy\//],
  ['decode', /node_modules\/(ajv[^/]*|fast-uri|json-schema-traverse|canonicalize|cborg|cbor-x)\//],
  ['rpc', /node_modules\/(ws|fastify|@fastify\/[^/]+|find-my-way|avvio|light-my-request|pino)\/|^node:_?http/],
  ['network', /node_modules\/(libp2p|@libp2p\/[^/]+|@chainsafe\/[^/]+|@multiformats\/[^/]+|it-[^/]+)\//],
  ['network', /\/src\/net\/|\/src\/node\/(gateway|requests|answers|runAnswers|neighbours|providers|peers)\.ts/],
  [
    'rpc',
    /\/src\/rpc\/|\/src\/node\/(queries|governance|status|news|telling|subscribers|metrics|queueMetrics|nodeApi|api|log|proofs|intents)\.ts/,
  ],
  [
    'admission',
    /\/src\/node\/(admission|mempool|spread|batches|fates|clients|submissions|overload|loopDelay|claimedAccount|ownTransactions)\.ts/,
  ],
  ['hash', /\/src\/crypto\/(hash|digests)\.ts/],
  ['verify', /\/src\/crypto\/|\/contracts\/(signatures|authorisation)\.ts/],
  ['decode', /\/src\/codec\/|\/schemas\/|\/contracts\/transaction\.ts/],
  ['policy', /\/src\/policy\/|\/src\/ledger\/policy[A-Z]\w*\.ts/],
  ['journal', /\/src\/ledger\/(journal\w*|chainJournal)\.ts|\/src\/node\/(signState|stopMark)\.ts/],
  [
    'log',
    /\/src\/log\/|\/src\/ledger\/(leaves|leafWriter|logReader)\.ts|\/src\/node\/(cosigner|checkpointFollower|published|closing)\.ts/,
  ],
  ['consensus', /\/consensus\/|\/src\/ledger\/(certificate|votes)\.ts/],
  [
    'store',
    /\/src\/ledger\/(store\w*|keyValue|commit|writes|leafRuns|indexLists|history|runs|prune|selfCheck|snapshot\w*)\.ts/,
  ],
  ['execute', /\/contracts\/|\/src\/(ledger|executor|token)\/|\/src\/node\/(blocks|blockChecks|builder)\.ts/],
  [
    'consensus',
    /\/src\/node\/(consensus|engineConfig|shell|commits|work|fetches|inbox|outbox|wire|sync|epoch\w*|membership|voteKey|votesQuestion|signOnceMessages|evidence\w*|duties|timers)\.ts/,
  ],
];

/** Seams that serve several components: their callers say which. */
const seams = /\/src\/ledger\/(files|turns)\.ts/;

const known = new Map<string, ComponentKey | undefined>();

/** What a frame belongs to by itself; undefined: to whoever called it (helpers, Node's own code, native code). */
export function ownerOf({ name, url }: Frame): ComponentKey | undefined {
  if (name === '(garbage collector)') return 'collection';
  // Validators that Ajv compiled at run time have no file.
  if (url === '') return /^validate\d+$/.test(name) ? 'decode' : undefined;
  if (!known.has(url)) {
    known.set(url, seams.test(url) ? undefined : byPath.find(([, pattern]) => pattern.test(url))?.[0]);
  }
  return known.get(url);
}

/**
 * Of a whole stack. One that has only Node's frames is by what they do: sockets count as network (a client's sockets too,
 * which nothing in such a stack tells apart), messages between threads as verify, the one thread that a node talks with all the time.
 */
export function componentOf(frames: readonly Frame[]): ComponentKey {
  for (let i = frames.length - 1; i >= 0; i -= 1) {
    const frame = frames[i];
    const owner = frame === undefined ? undefined : ownerOf(frame);
    if (owner !== undefined) return owner;
  }
  if (frames.some(({ url }) => isOurs(url))) return 'other';
  if (frames.some(({ url }) => /^node:(net|tls|internal\/(stream|js_stream|streams|tls))/.test(url))) return 'network';
  if (frames.some(({ url }) => /^node:internal\/(worker|per_context\/messageport)/.test(url))) return 'verify';
  return 'other';
}

/** Of this repository or a package, not of Node or V8. */
export function isOurs(url: string): boolean {
  return url !== '' && !url.startsWith('node:') && !url.startsWith('wasm:');
}

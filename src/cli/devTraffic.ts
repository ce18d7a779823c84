import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../contracts/types.ts';
import { buildTransaction, ed25519TransactionSigner, sign, type WeftClient } from '../client/index.ts';
import { type PacketHead, sealPacket } from '../client/packet.ts';
import { toBase64Url } from '../codec/base64.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import type { NamedSecret } from '../crypto/keySeal.ts';
import { type Home, openKeys } from './home.ts';
import { pause } from './pause.ts';

/**
 * The life of a small weave, for `weft dev`: instances come up, a routing table is published, a model is registered,
 * checked and authorised, and then agents talk: each packet is really sealed (HPKE), and its id committed before it would
 * be sent. The documents are those of `examples/`.
 */

const examples = join(import.meta.dirname, '..', '..', 'examples');
const agents = ['misty.weave', 'oracle.weave', 'echo.weave', 'rogue.weave'];
const packets = ['query', 'response', 'status', 'command', 'quarantined'];
const packetLifeMs = 30_000;

export type TrafficOptions = {
  readonly home: Home;
  readonly chain: string;
  readonly client: WeftClient;
  /** Packet commits a second. */
  readonly rate: number;
  /** Told of each step of the beginning, and of what went wrong. */
  readonly note: (text: string) => void;
};

type Example = { readonly head: Omit<PacketHead, 'Timestamp_UTC'>; readonly content: JsonObject };

/** Runs until `signal` aborts. Never rejects: a network that is down for a moment is tried again. */
export async function runTraffic(options: TrafficOptions, signal: AbortSignal): Promise<void> {
  const accounts = new Map<string, Account>();
  for (const name of [...agents, 'operator', 'publisher', 'verifier', 'router-prime']) {
    accounts.set(name, readAccount(await openKeys(options.home.accountKeys(name))));
  }
  const send = async (account: string, type: string, body: JsonObject): Promise<string | undefined> => {
    const keys = accounts.get(account);
    if (keys === undefined) throw new WeftError('ACCOUNT_UNKNOWN', `no keys of ${account}`);
    const request = { chain: options.chain, account, type, body };
    const signed = sign(buildTransaction(request), [keys.signer]);
    const status = await options.client.submitAndWait(signed, { allowRefused: true });
    return status.refused;
  };
  await begin(send, options, signal);
  for (let turn = 0; !signal.aborted; turn += 1) {
    const started = performance.now();
    try {
      await commitPacket(readExample(packets[turn % packets.length] ?? 'query'), accounts, send);
    } catch (error) {
      options.note(`traffic: ${error instanceof WeftError ? error.code : String(error)}`);
    }
    await pause(Math.max(0, 1000 / options.rate - (performance.now() - started)), signal);
  }
}

/** What a new weave needs before anybody can talk. What is there from an earlier run is refused, and that is fine. */
async function begin(
  send: (account: string, type: string, body: JsonObject) => Promise<string | undefined>,
  options: TrafficOptions,
  signal: AbortSignal,
): Promise<void> {
  const register = readExample('../transactions/models.register') as unknown as JsonObject;
  const base = { ...register, model: 'misty-7b', name: 'Misty 7B', sha256: '11'.repeat(32), lineage: [] };
  const attest = readExample('../transactions/models.attest') as unknown as JsonObject;
  const model = register['model'] as string;
  const steps: [string, string, JsonObject][] = [
    ['publisher', 'models.register', base],
    ['publisher', 'models.register', register],
    ['verifier', 'models.attest', attest],
    ['verifier', 'models.attest', { ...attest, kind: 'signature', tool: { name: 'model-signing', version: '1.0.1' } }],
    ['operator', 'models.authorise', { model, sha256: register['sha256'] as string }],
    ...agents.map((instance): [string, string, JsonObject] => {
      const endpoint = { url: `https://${instance.split('.')[0]}.example.net/nld`, protocol: 'nld/http' };
      return ['operator', 'routing.instance', { instance, state: 'up', endpoint, model }];
    }),
  ];
  const table = JSON.parse(readFileSync(join(examples, 'routing-table.json'), 'utf8')) as JsonObject;
  steps.push(['operator', 'routing.publish', { replaces: 0, table }]);
  for (const [account, type, body] of steps) {
    if (signal.aborted) return;
    try {
      const there = await alreadyThere(options.client, type, body);
      const refused = there ? undefined : await send(account, type, body);
      if (refused !== undefined) options.note(`${type}: ${refused}`);
    } catch (error) {
      options.note(`${type}: ${error instanceof WeftError ? error.code : String(error)}`);
    }
  }
}

/** From an earlier run of the same network. */
async function alreadyThere(client: WeftClient, type: string, body: JsonObject): Promise<boolean> {
  const path: Record<string, string> = {
    'models.register': `models/model/${String(body['model'])}`,
    'routing.instance': `routing/instance/${String(body['instance'])}`,
    'routing.publish': 'routing/table/current',
  };
  const at = path[type] ?? `models/model/${String(body['model'])}`;
  const { value } = await client.state(at);
  if (type === 'models.attest' || type === 'models.authorise') {
    return (value as { status?: string } | null)?.status === 'authorised';
  }
  return value !== null && value !== undefined;
}

async function commitPacket(
  { head, content }: Example,
  accounts: ReadonlyMap<string, Account>,
  send: (account: string, type: string, body: JsonObject) => Promise<string | undefined>,
): Promise<void> {
  const target = accounts.get(head.Target_Instance_ID)?.packetKey;
  if (target === undefined) throw new WeftError('ACCOUNT_UNKNOWN', `no packet key of ${head.Target_Instance_ID}`);
  const Timestamp_UTC = new Date().toISOString();
  const packet = await sealPacket({ ...head, Timestamp_UTC }, encodeUtf8(canonicalJson(content)), target);
  const group = {
    source: head.Source_Instance_ID,
    target: head.Target_Instance_ID,
    expires: Date.now() + packetLifeMs,
    ids: toBase64Url(fromHex(packet.Transaction_Hash_ID, 32)),
  };
  await send('router-prime', 'packets.commit', { groups: [group] });
}

type Account = {
  readonly signer: ReturnType<typeof ed25519TransactionSigner>;
  readonly packetKey: Uint8Array | undefined;
};

function readAccount(secrets: readonly NamedSecret[]): Account {
  const account = secrets.find(({ name }) => name === 'account');
  if (account === undefined) throw new WeftError('KEY_MISSING', 'a key file without an account key');
  return {
    signer: ed25519TransactionSigner(account.secret),
    packetKey: secrets.find(({ name }) => name === 'packets')?.publicKey,
  };
}

function readExample(name: string): Example {
  return JSON.parse(readFileSync(join(examples, 'packets', `${name}.json`), 'utf8')) as Example;
}

import { createHash } from 'node:crypto';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { keyProofMessage } from '../../src/crypto/accountKey.ts';
import { type Ed25519Signer, ed25519Signer } from '../../src/crypto/ed25519.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';

/**
 * Routers, publishers, verifiers, operators and the council at work: mostly packets, sometimes what changes state under them. After a
 * beginning in which a weave of a hundred models and fifty agents is registered, state stands almost still, as it does where
 * people work: a newcomer now and then. So a validator's memory that grows is no data that somebody asked it to keep. What was
 * not sent, or expired, makes a later one refused, and a refused transaction is one more kind of load.
 */
export type Sent = { readonly account: string; readonly type: string; readonly body: JsonObject };

const modelsMax = 100;
const agentsMax = 50;
/** One transaction in so many is a newcomer: at 20 a second one model and one key in 50 seconds. */
const newcomerEvery = 1000;
/** Newcomers' models that are not revoked again. */
const newcomersMax = 3;
const packetLifeMs = 30_000;
const senders = ['router-prime', 'echo.weave', 'misty.weave', 'oracle.weave'];

/** `chain`: a proof that somebody holds a new key names it. */
export function mixedLoad(chain: string): (turn: number, random: () => number) => Sent {
  let models = 0;
  let newcomers = 0;
  let agents = 0;
  /** Of each agent: how many keys it had before its present one. */
  const rotations = new Map<number, number>();

  const model = (random: () => number): Sent => {
    if (models < modelsMax) return registration(`model-${models++}`);
    const dice = random();
    const number = Math.floor(random() * modelsMax);
    const id = `model-${number}`;
    if (dice < 0.05) return registration(id);
    if (dice < 0.65) return attestation(id, random);
    if (dice < 0.95) return { account: 'operator', type: 'models.authorise', body: { model: id, sha256: digest(id) } };
    // Of one that was there before it: nobody may be his own ancestor.
    const parent = { model: `model-${Math.floor(random() * number)}`, relation: 'quantised' };
    return { account: 'publisher', type: 'models.lineage', body: { model: id, add: [parent] } };
  };

  const agent = (random: () => number): Sent => {
    if (agents < agentsMax) {
      const keys = [{ alg: 'ed25519', publicKey: toBase64Url(agentKey(agents, 0).publicKey) }];
      const body = { account: agentName(agents++), roles: ['agent'], keys };
      return { account: 'council', type: 'identity.register', body };
    }
    const roles = random() < 0.5 ? ['agent'] : ['agent', 'sentinel'];
    const body = { account: agentName(Math.floor(random() * agentsMax)), roles };
    return { account: 'council', type: 'identity.roles', body };
  };

  const newcomer = (random: () => number): Sent => {
    newcomers += 1;
    if (newcomers % 3 === 1) return registration(`newcomer-${newcomers}`);
    if (newcomers % 3 === 2) {
      const old = `newcomer-${Math.max(1, newcomers - 1 - 3 * newcomersMax)}`;
      return { account: 'operator', type: 'models.revoke', body: { model: old, reason: 'a newer one is there' } };
    }
    const number = Math.floor(random() * agentsMax);
    const before = rotations.get(number) ?? 0;
    rotations.set(number, before + 1);
    return rotation(chain, number, before);
  };

  return (turn, random) => {
    if (turn % newcomerEvery === newcomerEvery - 1) return newcomer(random);
    const dice = random();
    if (dice < 0.78) return packet(turn);
    if (dice < 0.86) return instance(random);
    if (dice < 0.93) return model(random);
    if (dice < 0.95) return mismatch();
    if (dice < 0.97) {
      const type = turn % 2 === 0 ? 'identity.suspend' : 'identity.resume';
      return { account: 'council', type, body: { account: 'rogue.weave', reason: 'the load says so' } };
    }
    return agent(random);
  };
}

/** A group that no table allows makes a record too, whoever sends it. */
export function packet(turn: number): Sent {
  const group = { source: 'misty.weave', target: 'oracle.weave', expires: Date.now() + packetLifeMs, ids: random32() };
  return {
    account: senders[turn % senders.length] ?? 'router-prime',
    type: 'packets.commit',
    body: { groups: [group] },
  };
}

function mismatch(): Sent {
  const [id, expected, observed] = [random32('hex'), random32('hex'), random32('hex')];
  const body = { id, kind: 'DIGEST', expected, observed, evidence: null };
  return { account: 'sentinel', type: 'packets.mismatch', body };
}

function instance(random: () => number): Sent {
  const name = senders[1 + Math.floor(random() * 3)] ?? 'echo.weave';
  const endpoint = { url: 'https://agent.example.net/nld', protocol: 'nld/http' };
  const up = { instance: name, state: 'up', endpoint, model: null };
  const body = random() < 0.8 ? up : { ...up, state: 'down', endpoint: null };
  return { account: 'operator', type: 'routing.instance', body };
}

function registration(model: string): Sent {
  const body = { model, name: `Model ${model}`, sha256: digest(model), size: 4_368_439_296 };
  const rest = { format: 'gguf', source: `https://models.example.net/${model}.gguf`, lineage: [] };
  return { account: 'publisher', type: 'models.register', body: { ...body, ...rest } };
}

function attestation(model: string, random: () => number): Sent {
  const kind = random() < 0.5 ? 'static-scan' : 'signature';
  const verdict = random() < 0.9 ? 'PASSED' : 'FAILED';
  const tool = { name: 'weft-gguf-scan', version: '0.1.0' };
  const body = { model, kind, verdict, report: random32('hex'), tool, supersedes: null };
  return { account: 'verifier', type: 'models.attest', body };
}

/** The council puts a new key in the place of an agent's present one. */
function rotation(chain: string, number: number, before: number): Sent {
  const account = agentName(number);
  const [old, fresh] = [agentKey(number, before), agentKey(number, before + 1)];
  const key = { alg: 'ed25519' as const, publicKey: toBase64Url(fresh.publicKey) };
  const proof = toBase64Url(fresh.sign(keyProofMessage(chain, account, key)));
  const body = { account, add: [{ ...key, proof }], remove: [keyId(ALG_ED25519, old.publicKey)] };
  return { account: 'council', type: 'identity.rotate', body };
}

function agentName(number: number): string {
  return `agent-${number}.weave`;
}

function agentKey(number: number, rotations: number): Ed25519Signer {
  return ed25519Signer(
    createHash('sha256')
      .update(`${agentName(number)}/${rotations}`)
      .digest(),
  );
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function random32(encoding: 'hex' | 'base64url' = 'base64url'): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString(encoding);
}

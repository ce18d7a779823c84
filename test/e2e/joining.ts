import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../contracts/types.ts';
import { homeAt } from '../../src/cli/home.ts';
import { configText } from '../../src/cli/testnet.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { readKeyFile, writeKeyFile } from '../../src/crypto/keyfile.ts';
import {
  generateValidatorKeys,
  type ValidatorKeys,
  validatorKeysFrom,
  validatorSecrets,
} from '../../src/crypto/validatorKeys.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { freeBase } from '../freePorts.ts';
import type { TestNetwork } from './network.ts';
import { checkWire, type WireReport } from './wire.ts';

/** Nodes that join a running network of processes, and what governance does to its set. */

type Entry = JsonObject & { readonly name: string };

/** Keys, configuration and account of one more validator; nobody else learns its address. Starts nothing. */
export async function join(network: TestNetwork, name: string): Promise<void> {
  const own = homeAt(network.dir).validator(name);
  mkdirSync(own.data, { recursive: true, mode: 0o700 });
  const keys = generateValidatorKeys();
  await writeKeyFile(own.keys, validatorSecrets(keys), { passphrase: null });
  const base = await freeBase(1);
  const address = `/ip4/127.0.0.1/tcp/${base + 10}`;
  const rpc = `http://127.0.0.1:${base + 11}`;
  const peers = network.validators.map((each) => ({ name: each.name, address: each.address }));
  const text = configText({
    name,
    address,
    peers,
    rpc,
    over: {},
    from: dirname(own.config),
    genesis: network.net.genesis,
  });
  writeFileSync(own.config, text);
  const publicKey = toBase64Url(keys.account.publicKey);
  await send(network, 'operator', 'identity.register', {
    account: name,
    roles: [],
    keys: [{ alg: 'ed25519', publicKey }],
  });
  network.add({ ...own, name, address, rpc }, keys.account.seed);
}

export async function entryOf(network: TestNetwork, name: string, keys?: ValidatorKeys): Promise<Entry> {
  const held = keys ?? (await keysOf(network, name));
  const text = (role: keyof ValidatorKeys): string => toBase64Url(held[role].publicKey);
  return {
    name,
    peer: text('peer'),
    vote: text('vote'),
    log: text('log'),
    cosigner: text('cosigner'),
    account: name,
    url: `http://127.0.0.1/${name}`,
  };
}

/** A file of next keys with a new vote key, named in its configuration; takes effect at the next start. */
export async function renewVoteKey(network: TestNetwork, name: string): Promise<ValidatorKeys> {
  const { dir, config } = homeAt(network.dir).validator(name);
  const keys = { ...(await keysOf(network, name)), vote: generateValidatorKeys().vote };
  await writeKeyFile(`${dir}/next.json`, validatorSecrets(keys), { passphrase: null });
  writeFileSync(config, `${readFileSync(config, 'utf8')}nextKeys: next.json\n`);
  return keys;
}

async function keysOf(network: TestNetwork, name: string): Promise<ValidatorKeys> {
  return validatorKeysFrom(await readKeyFile(homeAt(network.dir).validator(name).keys, null));
}

/** Final and not refused, through whichever running node takes it. */
async function send(network: TestNetwork, account: string, type: string, body: JsonObject): Promise<string> {
  const tx = await network.signed(account, type, body);
  const running = network.names.filter((name) => network.running(name));
  for (let tries = 0; ; tries += 1) {
    try {
      const status = await network.client(running[tries % running.length] ?? '').submitAndWait(tx);
      if (status.status === 'finalized') return tx.id;
    } catch (error) {
      if (tries > 40 || /refused|GOVERNANCE_NOT_READY/.test(String(error))) throw error;
      await sleep(250);
    }
  }
}

/** Proposes, approves as soon as the next set is ready; resolves when `names` are in the next epoch. */
export async function change(network: TestNetwork, what: JsonObject, names: readonly string[]): Promise<number> {
  const statuses = await network.until(() => true, { names: names.slice(0, 1) });
  const from = statuses[0]?.epoch ?? 0;
  const proposal = await send(network, 'council', 'governance.propose', {
    change: what,
    notBefore: 0,
    expires: Date.now() + 600_000,
  });
  for (let tries = 0; ; tries += 1) {
    try {
      await send(network, 'council', 'governance.approve', { proposal });
      break;
    } catch (error) {
      if (tries > 240 || !String(error).includes('GOVERNANCE_NOT_READY')) throw error;
      await sleep(250);
    }
  }
  await network.until((all) => all.every(({ epoch }) => epoch > from), { names });
  return from + 1;
}

/** The wire oracle over all epochs that the stopped node `teller` knows. */
export async function wireOverEpochs(network: TestNetwork, teller: string): Promise<WireReport> {
  const genesis = loadGenesis(new Uint8Array(readFileSync(network.net.genesis)));
  const ledger = await Ledger.open({ dir: network.dataOf(teller), genesis });
  try {
    const paths = network.names.map((name) => network.wireOf(name));
    return checkWire(paths, {
      genesisHash: genesis.genesisHash,
      validators: genesis.epoch.validators,
      validatorsOf: (epoch) => ledger.epochOf(epoch)?.validators,
    });
  } finally {
    await ledger.close();
  }
}

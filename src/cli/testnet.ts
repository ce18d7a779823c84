import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { x25519 } from '@noble/curves/ed25519.js';
import type { Command } from 'commander';
import { stringify as stringifyYaml } from 'yaml';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { generateSeed } from '../crypto/ed25519.ts';
import { writeKeyFile } from '../crypto/keyfile.ts';
import type { NamedSecret } from '../crypto/keySeal.ts';
import { generateValidatorKeys, keyPairOf, validatorSecrets } from '../crypto/validatorKeys.ts';
import { type GenesisParts, makeGenesis } from './genesis.ts';
import { homeAt, type ValidatorHome } from './home.ts';
import { type GenesisAccount, type ValidatorRecord, validatorRecord } from './nodeRecord.ts';
import { note, printFields, printJson, printTable, usage } from './output.ts';
import { askNewPassphrase } from './passphrase.ts';

export type TestnetOptions = {
  /** Home folder; made when absent. Existing keys are never overwritten (KEY_FILE_EXISTS). */
  readonly dir: string;
  /** Default 4. */
  readonly validators?: number;
  /** Nodes `o1`, `o2`, … that follow without a vote, on the ports after the validators'. Default 0. */
  readonly observers?: number;
  /** Peers on base + 10, base + 20, …; RPC one above each. Default 7600. */
  readonly basePort?: number;
  /** Network name, 3-40 of `a-z0-9.-`. Default `weft-dev`. */
  readonly name?: string;
  /** `null` leaves key files unencrypted: development only, and never by default. */
  readonly passphrase: string | null;
  /** Accounts to play with (council, operator, router-prime, …), with key files in `accounts/`. */
  readonly demoAccounts?: boolean;
  readonly consensus?: GenesisParts['consensus'];
  readonly policy?: GenesisParts['policy'];
  /** Of genesis, milliseconds UTC. Default now. */
  readonly time?: number;
  /** Laid over every node's configuration file, for example `{ log: { level: 'debug' } }`. */
  readonly config?: { readonly [section: string]: unknown };
  /** Default `127.0.0.1`. */
  readonly host?: string;
};

export type TestnetValidator = ValidatorHome & {
  readonly name: string;
  /** Multiaddr. */
  readonly address: string;
  readonly rpc: string;
};

export type Testnet = {
  readonly home: string;
  readonly chain: string;
  readonly genesis: string;
  readonly validators: readonly TestnetValidator[];
  readonly observers: readonly TestnetValidator[];
  /** Account → key file. */
  readonly accounts: ReadonlyMap<string, string>;
};

/** Who plays which part on a development network. Agents also get a key to receive packets (X25519). */
const demoRoles: readonly { readonly name: string; readonly roles: readonly string[] }[] = [
  { name: 'actuator-web-1', roles: ['executor'] },
  { name: 'actuator-web-2', roles: ['executor'] },
  { name: 'council', roles: [] },
  { name: 'echo.weave', roles: ['agent'] },
  { name: 'healer', roles: ['operator'] },
  { name: 'misty.weave', roles: ['agent'] },
  { name: 'operator', roles: ['administrator', 'model-authoriser', 'routing-admin'] },
  { name: 'oracle.weave', roles: ['agent'] },
  { name: 'publisher', roles: ['model-publisher'] },
  { name: 'rogue.weave', roles: ['agent'] },
  { name: 'router-prime', roles: ['router'] },
  { name: 'sentinel', roles: ['sentinel'] },
  { name: 'steward', roles: ['approver'] },
  { name: 'verifier', roles: ['model-verifier'] },
  { name: 'warden', roles: ['approver'] },
];

/**
 * Files for a network of `validators` on one machine: genesis, a folder with configuration and keys for each, accounts.
 * @throws WeftError TESTNET_SIZE, TESTNET_PORTS, KEY_FILE_EXISTS, GENESIS_INVALID
 */
export async function makeTestnet(options: TestnetOptions): Promise<Testnet> {
  const {
    dir,
    validators: count = 4,
    observers: observerCount = 0,
    basePort = 7600,
    name: network = 'weft-dev',
    passphrase,
    host = '127.0.0.1',
  } = options;
  if (!Number.isInteger(count) || count < 1 || count > 64) {
    throw new WeftError('TESTNET_SIZE', `a network has 1 to 64 validators here, not ${count}`);
  }
  if (!Number.isInteger(observerCount) || observerCount < 0 || observerCount > 64) {
    throw new WeftError('TESTNET_SIZE', `a network has 0 to 64 observers here, not ${observerCount}`);
  }
  const nodes = count + observerCount;
  if (!Number.isInteger(basePort) || basePort < 1024 || basePort + 10 * nodes + 1 > 65_535) {
    throw new WeftError(
      'TESTNET_PORTS',
      `from port ${basePort} on there is no room for ${nodes} nodes; choose another --base-port`,
    );
  }
  const home = homeAt(dir);
  mkdirSync(home.accounts, { recursive: true, mode: 0o700 });
  const records: ValidatorRecord[] = [];
  const validators: TestnetValidator[] = [];
  const observers: TestnetValidator[] = [];
  const observerPeers: { name: string; peer: string }[] = [];
  for (let i = 1; i <= nodes; i++) {
    const name = i <= count ? `v${i}` : `o${i - count}`;
    const peerPort = basePort + 10 * i;
    const address = `/${/^[0-9.]+$/.test(host) ? 'ip4' : 'dns4'}/${host}/tcp/${peerPort}`;
    const rpc = `http://${host}:${peerPort + 1}`;
    const own = home.validator(name);
    mkdirSync(own.data, { recursive: true, mode: 0o700 });
    const keys = generateValidatorKeys();
    await writeKeyFile(own.keys, validatorSecrets(keys), { passphrase });
    if (i <= count) {
      records.push(validatorRecord(network, name, keys, { url: rpc, address }));
      validators.push({ ...own, name, address, rpc });
    } else {
      observerPeers.push({ name, peer: toBase64Url(keys.peer.publicKey) });
      observers.push({ ...own, name, address, rpc });
    }
  }
  const accounts = new Map<string, string>();
  const made: GenesisAccount[] = [];
  for (const { name, roles } of options.demoAccounts === false ? [] : demoRoles) {
    const { secrets, keys } = newAccountKeys(roles.includes('agent'));
    await writeKeyFile(home.accountKeys(name), secrets, { passphrase });
    accounts.set(name, home.accountKeys(name));
    made.push({ name, roles: [...roles], keys });
  }
  const { bytes, chain } = makeGenesis({
    network,
    records,
    accounts: made,
    observers: observerPeers,
    ...(accounts.has('council') ? { council: { threshold: 1, members: ['council'] } } : {}),
    ...(options.consensus === undefined ? {} : { consensus: options.consensus }),
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    ...(options.time === undefined ? {} : { time: options.time }),
  });
  writeFileSync(home.genesis, bytes);
  for (const { name, address, rpc, config } of [...validators, ...observers]) {
    // Who observes dials: it needs the validators' addresses, and nobody needs its own.
    const peers = validators
      .filter((each) => each.name !== name)
      .map((each) => ({ name: each.name, address: each.address }));
    writeFileSync(
      config,
      configText({
        name,
        address,
        peers,
        rpc,
        over: { ...options.config, ...(observers.some((each) => each.name === name) ? { role: 'observer' } : {}) },
        from: dirname(config),
        genesis: home.genesis,
      }),
    );
  }
  return { home: dir, chain, genesis: home.genesis, validators, observers, accounts };
}

/** New keys of an account: one that signs, and for receivers of packets one for HPKE. */
export function newAccountKeys(receivesPackets: boolean): {
  readonly secrets: NamedSecret[];
  readonly keys: GenesisAccount['keys'];
} {
  const { seed, publicKey } = keyPairOf(generateSeed());
  const secrets: NamedSecret[] = [{ name: 'account', algorithm: 'ed25519', publicKey, secret: seed }];
  if (receivesPackets) {
    const pair = x25519.keygen();
    secrets.push({ name: 'packets', algorithm: 'x25519', publicKey: pair.publicKey, secret: pair.secretKey });
  }
  const keys = secrets.map((each) => ({ alg: each.algorithm, publicKey: toBase64Url(each.publicKey) }));
  return { secrets, keys };
}

export type ConfigText = {
  readonly name: string;
  readonly address: string;
  readonly peers: readonly { readonly name: string; readonly address: string }[];
  readonly rpc: string;
  readonly over: { readonly [section: string]: unknown };
  /** Folder of the configuration, and the genesis document that it names relative to that. */
  readonly from: string;
  readonly genesis: string;
};

/** A node's configuration file as people would write it: what differs from the defaults. */
export function configText({ name, address, peers, rpc, over, from, genesis }: ConfigText): string {
  const { hostname, port } = new URL(rpc);
  const base: { readonly [section: string]: unknown } = {
    name,
    genesis: relative(from, genesis),
    peer: { listen: [address], peers },
    rpc: { host: hostname, port: Number(port) },
  };
  const merged: Record<string, unknown> = { ...base };
  for (const [section, value] of Object.entries(over)) {
    const there = merged[section];
    merged[section] = isRecord(there) && isRecord(value) ? { ...there, ...value } : value;
  }
  return `# ${name}. Every setting, its meaning and its default: schemas/config.schema.json\n${stringifyYaml(merged)}`;
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function testnetCommand(program: Command): void {
  program
    .command('testnet')
    .description('Writes keys, genesis and configurations for a network of n validators on this machine.')
    .requiredOption('--home <dir>', 'folder to make it in')
    .option('--validators <n>', 'how many', Number, 4)
    .option('--observers <n>', 'how many nodes that follow without a vote', Number, 0)
    .option('--base-port <port>', 'peers on base+10, base+20, …; RPC one above each', Number, 7600)
    .option('--name <network>', 'network name', 'weft-test')
    .option('--unencrypted', 'leave the key files unencrypted (for tests on this machine)')
    .option('--no-demo-accounts', 'no accounts besides those of the validators')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft testnet --home net --validators 4 --unencrypted\n         weft start --home net --validator v1',
    )
    .action(
      async (options: {
        home: string;
        validators: number;
        observers: number;
        basePort: number;
        name: string;
        unencrypted?: boolean;
        demoAccounts: boolean;
        json?: boolean;
      }) => {
        if (!/^[a-z0-9.-]{3,40}$/.test(options.name)) throw usage('--name takes 3-40 characters of a-z 0-9 . -');
        const passphrase = options.unencrypted === true ? null : await askNewPassphrase();
        const { home, validators, observers, basePort, name, demoAccounts } = options;
        const net = await makeTestnet({ dir: home, validators, observers, basePort, name, passphrase, demoAccounts });
        if (options.json) {
          return printJson({
            ...net,
            accounts: Object.fromEntries(net.accounts),
            rpc: net.validators.map(({ rpc }) => rpc),
          });
        }
        printFields([
          ['chain', net.chain],
          ['genesis', net.genesis],
          ['accounts', [...net.accounts.keys()].join(' ') || '(those of the validators)'],
        ]);
        printTable(
          ['node', 'peers', 'rpc', 'config'],
          [...net.validators, ...net.observers].map((v) => [v.name, v.address, v.rpc, v.config]),
        );
        note(`\nStart each one: weft start --home ${home} --validator v1   (… v${net.validators.length})`);
      },
    );
}

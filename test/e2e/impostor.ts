import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { type ValidatorKeys, validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { type Genesis, loadGenesis } from '../../src/ledger/genesis.ts';
import { createNetwork } from '../../src/net/network.ts';
import type { Network } from '../../src/net/types.ts';
import { encodeHello } from '../../src/node/wire.ts';
import type { TestNetwork } from './network.ts';

/** A validator's keys in the hands of this process, which answers nothing and says whatever a test has it say. */
export type Impostor = {
  readonly network: Network;
  readonly keys: ValidatorKeys;
  readonly genesis: Genesis;
  /** Index in the first epoch. */
  readonly index: number;
  /** Resolves to false when there is no lane to `name` in time. */
  reaches(name: string, withinMs?: number): Promise<boolean>;
};

export async function impostorOf(network: TestNetwork, name: string): Promise<Impostor> {
  const genesis = loadGenesis(new Uint8Array(readFileSync(network.net.genesis)));
  const own = network.net.validators.find((each) => each.name === name);
  if (own === undefined) throw new Error(`no validator ${name}`);
  const keys = validatorKeysFrom(await readKeyFile(own.keys, null));
  const { validators } = genesis.epoch;
  const hostile = await createNetwork(
    {
      chain: genesis.chain,
      name,
      role: 'validator',
      peerSeed: keys.peer.seed,
      listen: [own.address],
      peers: validators.map((validator) => ({
        name: validator.name,
        role: 'validator' as const,
        peerKey: validator.peer,
        addresses: network.net.validators.filter((each) => each.name === validator.name).map(({ address }) => address),
      })),
      timings: { reconnectMaxMs: 200 },
    },
    {
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      handlers: {
        hello: () =>
          encodeHello({
            chain: genesis.chain,
            ruleset: 1,
            epoch: 1,
            view: 1,
            finalizedHeight: 0,
            finalizedView: 0,
          }),
        onHello: () => undefined,
        onFrame: () => undefined,
        onRequest: async () => undefined,
        verifyRelayed: () => 'unknown',
        onGossip: () => 'ignore',
      },
    },
  );
  return {
    network: hostile,
    keys,
    genesis,
    index: validators.findIndex((each) => each.name === name),
    async reaches(peer, withinMs = 20_000) {
      for (const until = Date.now() + withinMs; Date.now() < until; await sleep(20)) {
        if (hostile.connected(peer) && hostile.askable().includes(peer)) return true;
      }
      return false;
    },
  };
}

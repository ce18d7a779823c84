import { readFileSync, writeFileSync } from 'node:fs';
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml';
import type { Testnet, TestnetValidator } from '../../src/cli/testnet.ts';
import type { Hosts } from './namespaces.ts';
import type { Relays } from './relay.ts';

/** Where validators find each other, changed in their configurations before the first start. */

type Written = {
  peer: { listen: string[]; peers: { name: string; address: string }[] };
  rpc: { host: string; port: number };
};

/** From now on each validator knows every other one under the address of a relay. */
export async function putBehind(relays: Relays, { validators }: Testnet): Promise<void> {
  for (const { name, config } of validators) {
    const written = read(config);
    for (const peer of written.peer.peers) {
      peer.address = tcp('127.0.0.1', await relays.add(name, peer.name, portOf(validators, peer.name)));
    }
    writeFileSync(config, stringifyYaml(written));
  }
}

/** From now on each validator listens on a host of its own. */
export function putOn(hosts: Hosts, net: Testnet): Testnet {
  const moved = net.validators.map((validator) => {
    const host = hosts.addressOf(validator.name);
    const address = tcp(host, portOf(net.validators, validator.name));
    return { ...validator, address, rpc: `http://${host}:${new URL(validator.rpc).port}` };
  });
  for (const { name, config, address } of moved) {
    const written = read(config);
    written.peer.listen = [address];
    for (const peer of written.peer.peers) {
      peer.address = moved.find((each) => each.name === peer.name)?.address ?? peer.address;
    }
    written.rpc.host = hosts.addressOf(name);
    writeFileSync(config, stringifyYaml(written));
  }
  return { ...net, validators: moved };
}

function read(config: string): Written {
  return parseYaml(readFileSync(config, 'utf8')) as Written;
}

function portOf(validators: readonly TestnetValidator[], name: string): number {
  return Number(
    validators
      .find((each) => each.name === name)
      ?.address.split('/')
      .at(-1),
  );
}

function tcp(host: string, port: number): string {
  return `/ip4/${host}/tcp/${port}`;
}

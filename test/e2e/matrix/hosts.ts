import { Hosts } from '../namespaces.ts';
import { type Case, forMs } from './run.ts';

/** Whole hosts whose cable is pulled: packets are gone, and no end of a connection is told. */

function pulled(name: string, hosts: readonly string[], ms: number): Case {
  return {
    name,
    options: { hosts: true, relays: false },
    impossible: () => Hosts.impossible(),
    async harm({ network, workload }) {
      for (const each of hosts) network.hosts.pull(each);
      await forMs(ms);
      if (hosts.length === 1) await workload.fresh(5);
    },
    async heal({ network }) {
      for (const each of hosts) network.hosts.plug(each);
    },
  };
}

export const hostCases: readonly Case[] = [
  pulled('the cable of one host is pulled for 20 s', ['v4'], 20_000),
  pulled('the cables of two hosts are pulled for 10 s', ['v3', 'v4'], 10_000),
  pulled('the cables of all hosts are pulled for 10 s', ['v1', 'v2', 'v3', 'v4'], 10_000),
];

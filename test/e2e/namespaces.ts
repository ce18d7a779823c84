import { spawnSync } from 'node:child_process';

/**
 * A host for each validator: a network namespace with one cable (veth) to a bridge. Pulling the cable drops packets, so that TCP
 * itself has to notice, as between machines. Needs Linux, root and iproute2.
 */
export class Hosts {
  readonly #names: readonly string[];
  readonly #id: string;
  readonly #net: number;

  private constructor(names: readonly string[]) {
    this.#names = names;
    this.#net = 1 + Math.floor(Math.random() * 250);
    this.#id = `w${process.pid.toString(36)}`;
  }

  /** Why there can be none here. */
  static impossible(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces are of Linux';
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    const probe = `weft-${process.pid}`;
    if (spawnSync('ip', ['netns', 'add', probe]).status !== 0) return 'ip netns add was refused';
    spawnSync('ip', ['netns', 'del', probe]);
    return undefined;
  }

  static make(names: readonly string[]): Hosts {
    const hosts = new Hosts(names);
    ip('link', 'add', hosts.#bridge, 'type', 'bridge');
    ip('addr', 'add', `${hosts.#address(254)}/24`, 'dev', hosts.#bridge);
    ip('link', 'set', hosts.#bridge, 'up');
    for (const name of names) {
      const space = hosts.space(name);
      ip('netns', 'add', space);
      ip('link', 'add', hosts.#cable(name), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      ip('link', 'set', hosts.#cable(name), 'master', hosts.#bridge, 'up');
      ip('-n', space, 'addr', 'add', `${hosts.addressOf(name)}/24`, 'dev', 'eth0');
      ip('-n', space, 'link', 'set', 'eth0', 'up');
      ip('-n', space, 'link', 'set', 'lo', 'up');
    }
    return hosts;
  }

  addressOf(name: string): string {
    return this.#address(this.#names.indexOf(name) + 1);
  }

  /** For `ip netns exec`. */
  space(name: string): string {
    return `${this.#id}-${name}`;
  }

  pull(name: string): void {
    ip('link', 'set', this.#cable(name), 'down');
  }

  plug(name: string): void {
    ip('link', 'set', this.#cable(name), 'up');
  }

  remove(): void {
    for (const name of this.#names) spawnSync('ip', ['netns', 'del', this.space(name)]);
    spawnSync('ip', ['link', 'del', this.#bridge]);
  }

  get #bridge(): string {
    return `${this.#id}-br`;
  }

  #cable(name: string): string {
    return `${this.#id}-c${this.#names.indexOf(name)}`;
  }

  #address(last: number): string {
    return `10.213.${this.#net}.${last}`;
  }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

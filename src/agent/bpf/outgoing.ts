import { statSync } from 'node:fs';
import { cgroupRoot, withCgroup } from './cgroup.ts';
import { GateMaps } from './gateMaps.ts';
import { attachTypes, type Kernel } from './kernel.ts';
import { closeLoaded, descriptor } from './load.ts';
import { dropUnusedBuilds, linkPath, openPart, otherBuilds, type Part, pinnedLinks, unpin } from './pins.ts';
import { skeletons } from './programs.ts';
import { type Usage, usageOf } from './usage.ts';

const programs = [
  ['weft_connect4', attachTypes.connect4],
  ['weft_connect6', attachTypes.connect6],
  ['weft_sendmsg4', attachTypes.sendmsg4],
  ['weft_sendmsg6', attachTypes.sendmsg6],
] as const;

/**
 * The gate for what goes out: processes of a cgroup reach a guarded port elsewhere only while a grant for it runs; otherwise
 * connect and sendmsg say EPERM. Asked when a connection begins and for each datagram of an unconnected socket.
 */
export class OutgoingGate {
  readonly maps: GateMaps;
  readonly adopted: boolean;
  readonly #kernel: Kernel;
  readonly #part: Part;
  readonly #links: number[] = [];

  /** `pins`, `only` as for Gate. @throws BPF_NO_PINS, BPF_OTHER_BUILD, BPF_REFUSED */
  constructor(kernel: Kernel, options: { readonly pins?: string; readonly only?: 'adopt' } = {}) {
    this.#kernel = kernel;
    this.#part = openPart(kernel, 'outgoing', skeletons.outgoing, options.pins, options.only);
    try {
      this.maps = new GateMaps(kernel, this.#part.loaded.maps, 'out', this.#part.adopted);
    } catch (error) {
      closeLoaded(kernel, this.#part.loaded);
      throw error;
    }
    this.adopted = this.#part.adopted;
  }

  /**
   * Guards the processes of a cgroup (folder) and of those below it; default: all of this host.
   * Links that are pinned for it stay; those of another cgroup or build go once the new ones are there.
   * @throws BPF_NO_CGROUP, BPF_REFUSED
   */
  attach(cgroup?: string): void {
    const folder = cgroup ?? cgroupRoot() ?? '';
    const before = this.#links.splice(0);
    try {
      withCgroup(folder, (target) => {
        for (const [name, type] of programs) this.#attachOne(name, type, target, BigInt(statSync(folder).ino));
      });
    } finally {
      for (const fd of before) this.#kernel.close(fd);
    }
    const { folder: pins } = this.#part;
    if (pins === undefined) return;
    for (const other of otherBuilds(pins)) for (const link of pinnedLinks(other)) unpin(linkPath(other, link));
    dropUnusedBuilds(pins);
  }

  /** Whether it is on the cgroup that goes by this name now: one that was made anew, as with each start of a service, has no gate. */
  isOn(cgroup?: string): boolean {
    const folder = cgroup ?? cgroupRoot() ?? '';
    const id = statSync(folder, { throwIfNoEntry: false })?.ino;
    if (id === undefined || this.#links.length < programs.length) return false;
    return this.#links.every((link) => this.#kernel.info(link, 32).readBigUInt64LE(16) === BigInt(id));
  }

  #attachOne(name: string, type: number, target: number, cgroupId: bigint): void {
    const program = descriptor(this.#part.loaded.programs, name);
    const path = this.#part.folder === undefined ? undefined : linkPath(this.#part.folder, name);
    const there = path === undefined ? undefined : this.#kernel.get(path);
    if (there !== undefined && this.#kernel.info(there, 32).readBigUInt64LE(16) === cgroupId) {
      this.#links.push(there);
      return;
    }
    const fd = this.#kernel.link(program, target, type);
    this.#links.push(fd);
    if (there !== undefined) this.#kernel.close(there);
    if (path === undefined) return;
    unpin(path);
    this.#kernel.pin(fd, path);
  }

  usage(): Usage {
    return usageOf(this.#kernel, this.#part.loaded);
  }

  /** Ends our part. With pins the gate goes on as it is. */
  close(): void {
    this.maps.close();
    for (const fd of this.#links.splice(0)) this.#kernel.close(fd);
    closeLoaded(this.#kernel, this.#part.loaded);
  }
}

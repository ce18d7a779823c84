import { readFileSync } from 'node:fs';
import { WeftError } from '../../codec/error.ts';
import { GateMaps } from './gateMaps.ts';
import { attachTypes, type Kernel, refused } from './kernel.ts';
import { closeLoaded, descriptor } from './load.ts';
import { dropUnusedBuilds, linkPath, openPart, otherBuilds, type Part, pinnedLinks, unpin } from './pins.ts';
import { skeletons } from './programs.ts';
import { type Usage, usageOf } from './usage.ts';

/** native: in the driver, before the kernel makes a packet of it. generic: afterwards, on any interface. */
export type AttachMode = 'native' | 'generic';
const attachFlags: Readonly<Record<AttachMode, number>> = { native: 1 << 2, generic: 1 << 1 };

export type AttachedInterface = { readonly interface: string; readonly mode: AttachMode };

/** XDP_DROP and XDP_PASS of linux/bpf.h. */
const actions: ReadonlyMap<number, 'drop' | 'pass'> = new Map([
  [1, 'drop'],
  [2, 'pass'],
]);

/** Types of interfaces whose packets begin with an Ethernet header (linux/if_arp.h): Ethernet, loopback. */
const ethernetTypes = ['1', '772'];

/**
 * The gate for what comes in: a packet for a guarded TCP or UDP port of any interface it is attached to passes only while a
 * grant for it runs. Set it up in this order: grants (`reconcile`), guarded ports, mode, interfaces; a gate that is adopted
 * from a former process goes on working as that one left it meanwhile.
 */
export class Gate {
  readonly maps: GateMaps;
  readonly adopted: boolean;
  readonly #kernel: Kernel;
  readonly #part: Part;
  readonly #program: number;
  readonly #links = new Map<string, { readonly fd: number; readonly mode: AttachMode }>();

  /**
   * `pins`: folder on a bpf file system (`/sys/fs/bpf/weft`). With it the gate goes on when this process dies, and is adopted by
   * the next; without it the gate *fails open*: it is gone with the process. `only: 'adopt'`: none is made where none of this build is.
   * @throws BPF_NO_PINS, BPF_OTHER_BUILD, BPF_REFUSED
   */
  constructor(kernel: Kernel, options: { readonly pins?: string; readonly only?: 'adopt' } = {}) {
    this.#kernel = kernel;
    this.#part = openPart(kernel, 'gate', skeletons.gate, options.pins, options.only);
    try {
      this.#program = descriptor(this.#part.loaded.programs, 'weft_gate');
      this.maps = new GateMaps(kernel, this.#part.loaded.maps, 'in', this.#part.adopted);
      this.adopted = this.#part.adopted;
      if (this.#part.folder !== undefined) this.#adoptLinks(this.#part.folder);
    } catch (error) {
      closeLoaded(kernel, this.#part.loaded);
      throw error;
    }
  }

  /** Where it is on, and how. Interfaces that are gone are left out; one that came back is guarded after `attach`. */
  interfaces(): AttachedInterface[] {
    for (const name of [...this.#links.keys()]) this.#current(name);
    return [...this.#links].map(([name, { mode }]) => ({ interface: name, mode }));
  }

  /**
   * Guards an interface: native mode, generic where the driver cannot (or `mode` only). Already attached: stays, or is taken over from
   * another build without a gap.
   * @throws BPF_NO_INTERFACE, BPF_INTERFACE_KIND, BPF_REFUSED
   */
  attach(name: string, mode?: AttachMode): AttachedInterface {
    const there = this.#current(name) ?? this.#takeOver(name);
    if (there !== undefined) return { interface: name, mode: there.mode };
    const index = this.#interfaceIndex(name);
    const errors: string[] = [];
    for (const tried of mode === undefined ? (['native', 'generic'] as const) : [mode]) {
      let fd: number;
      try {
        fd = this.#kernel.link(this.#program, index, attachTypes.xdp, attachFlags[tried]);
      } catch (error) {
        errors.push(`${tried}: ${error instanceof Error ? error.message : error}`);
        continue;
      }
      this.#keep(name, tried, fd);
      return { interface: name, mode: tried };
    }
    const taken = errors.every((each) => each.includes('EBUSY'))
      ? `: another program is on it; where that is a gate with other pins, take it off: weft agent release --pins …`
      : '';
    throw new WeftError('BPF_REFUSED', `cannot attach the gate to ${name} (${errors.join('; ')})${taken}`, {
      call: 'attach',
    });
  }

  /** What is on the interface of that name now; an interface that was made anew has lost its gate, and its link is dead. */
  #current(name: string): { readonly fd: number; readonly mode: AttachMode } | undefined {
    const link = this.#links.get(name);
    if (link === undefined) return undefined;
    const index = this.#kernel.info(link.fd, 32).readUInt32LE(16);
    if (index !== 0 && index === this.#kernel.native.interfaceIndex(name)) return link;
    this.detach(name);
    return undefined;
  }

  /** @returns whether it was attached */
  detach(name: string): boolean {
    const link = this.#links.get(name);
    if (link === undefined) return false;
    if (this.#part.folder !== undefined) unpin(linkPath(this.#part.folder, `${link.mode}_${name}`));
    this.#kernel.close(link.fd);
    this.#links.delete(name);
    return true;
  }

  /** Puts an Ethernet frame to the program, as if it had come in; counters and events count it. `ns`: mean of one run. */
  test(frame: Buffer, repeat = 1): { readonly action: 'drop' | 'pass' | 'other'; readonly ns: number } {
    const { answer, ns } = this.#kernel.testRun(this.#program, frame, repeat);
    return { action: actions.get(answer) ?? 'other', ns };
  }

  usage(): Usage {
    return usageOf(this.#kernel, this.#part.loaded);
  }

  /** Ends our part. With pins the gate goes on as it is. */
  close(): void {
    this.maps.close();
    for (const { fd } of this.#links.values()) this.#kernel.close(fd);
    this.#links.clear();
    closeLoaded(this.#kernel, this.#part.loaded);
  }

  #interfaceIndex(name: string): number {
    const index = this.#kernel.native.interfaceIndex(name);
    if (index === 0) throw new WeftError('BPF_NO_INTERFACE', `there is no network interface '${name.slice(0, 32)}'`);
    const of = (file: string): string | undefined => {
      try {
        return readFileSync(`/sys/class/net/${name}/${file}`, 'latin1').trim();
      } catch {
        return undefined; // /sys may show another network namespace
      }
    };
    const type = of('ifindex') === String(index) ? of('type') : undefined;
    if (type !== undefined && !ethernetTypes.includes(type))
      throw new WeftError(
        'BPF_INTERFACE_KIND',
        `${name} carries no Ethernet frames (type ${type}): bind guarded services to other interfaces`,
        { interface: name },
      );
    return index;
  }

  #keep(name: string, mode: AttachMode, fd: number): void {
    const { folder } = this.#part;
    if (folder !== undefined) {
      try {
        this.#kernel.pin(fd, linkPath(folder, `${mode}_${name}`));
      } catch (error) {
        this.#kernel.close(fd);
        throw error;
      }
    }
    this.#links.set(name, { fd, mode });
  }

  /** Links of a former process of the same build. */
  #adoptLinks(folder: string): void {
    for (const pinned of pinnedLinks(folder)) {
      const { name, mode } = splitLink(pinned);
      const fd = this.#openLink(folder, pinned, name);
      if (fd !== undefined) this.#links.set(name, { fd, mode });
    }
  }

  /** The link of another build on this interface gets our program. */
  #takeOver(name: string): { readonly fd: number; readonly mode: AttachMode } | undefined {
    const { folder } = this.#part;
    if (folder === undefined) return undefined;
    for (const other of otherBuilds(folder))
      for (const pinned of pinnedLinks(other)) {
        const link = splitLink(pinned);
        if (link.name !== name) continue;
        const fd = this.#openLink(other, pinned, name);
        if (fd === undefined) continue;
        const result = this.#kernel.replace(fd, this.#program);
        if (result < 0) {
          this.#kernel.close(fd);
          throw refused(`take ${name} over from another build`, -result);
        }
        this.#keep(name, link.mode, fd);
        unpin(linkPath(other, pinned));
        dropUnusedBuilds(folder);
        return { fd, mode: link.mode };
      }
    return undefined;
  }

  /** @returns undefined, and takes the pin away, when its interface is gone or is another one of the same name */
  #openLink(folder: string, pinned: string, name: string): number | undefined {
    const path = linkPath(folder, pinned);
    const fd = this.#kernel.get(path);
    if (fd === undefined) return undefined;
    const index = this.#kernel.info(fd, 32).readUInt32LE(16);
    if (index !== 0 && index === this.#kernel.native.interfaceIndex(name)) return fd;
    this.#kernel.close(fd);
    unpin(path);
    return undefined;
  }
}

function splitLink(pinned: string): { name: string; mode: AttachMode } {
  const at = pinned.indexOf('_');
  return { name: pinned.slice(at + 1), mode: pinned.slice(0, at) === 'native' ? 'native' : 'generic' };
}

/** The moment `unixMs` on the clock that grants end by. Later changes of the wall clock do not move it. */
export function bootNsAt(kernel: Kernel, unixMs: number): bigint {
  return kernel.bootNs() + BigInt(Math.trunc(unixMs - Date.now())) * 1_000_000n;
}

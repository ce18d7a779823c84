import bind from '../../../bpf/dist/bind.json' with { type: 'json' };
import bpfCalls from '../../../bpf/dist/bpfCalls.json' with { type: 'json' };
import drops from '../../../bpf/dist/drops.json' with { type: 'json' };
import empty from '../../../bpf/dist/empty.json' with { type: 'json' };
import exec from '../../../bpf/dist/exec.json' with { type: 'json' };
import execCheck from '../../../bpf/dist/execCheck.json' with { type: 'json' };
import exit from '../../../bpf/dist/exit.json' with { type: 'json' };
import gate from '../../../bpf/dist/gate.json' with { type: 'json' };
import outgoing from '../../../bpf/dist/outgoing.json' with { type: 'json' };
import tcp from '../../../bpf/dist/tcp.json' with { type: 'json' };
import udp from '../../../bpf/dist/udp.json' with { type: 'json' };

/** What `npm run bpf:build` made of one source: a program that loads the others, and its data. */
export type Skeleton = {
  readonly sha256: string;
  readonly maps: readonly string[];
  readonly programs: readonly string[];
  readonly data: string;
  readonly insns: string;
};

export type SkeletonName = keyof typeof skeletons;

/** Every kernel program of this build. */
export const skeletons = { bind, bpfCalls, drops, empty, exec, execCheck, exit, gate, outgoing, tcp, udp } as const;

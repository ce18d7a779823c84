import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse as parseYaml } from 'yaml';
import schema from '../../schemas/agent-config.schema.json' with { type: 'json' };
import { messageOf, WeftError } from '../codec/error.ts';
import { parsePrefix } from './bpf/address.ts';
import type { GateMode, GuardedPort } from './bpf/gateMaps.ts';
import type { ProbeName } from './bpf/probes.ts';
import type { RedactionRule } from './telemetry/redact.ts';

/** Of one host's agent; what each setting means, its default and its bounds: schemas/agent-config.schema.json. Paths are absolute. */
export type AgentConfig = {
  readonly host: string;
  readonly state: string;
  readonly ledger?: LedgerConfig;
  readonly gate?: {
    readonly interfaces: readonly string[];
    readonly guarded: readonly GuardedPort[];
    readonly never: readonly GuardedPort[];
    readonly mode: Exclude<GateMode, 'off'>;
    readonly failOpen: boolean;
    readonly pins: string;
    readonly refuseFragments: boolean;
  };
  readonly outgoing?: {
    readonly cgroup?: string;
    readonly guarded: readonly GuardedPort[];
    readonly never: readonly GuardedPort[];
    readonly mode: Exclude<GateMode, 'off'>;
    /** CIDR: routes from elsewhere do not count for what goes out. Undefined: all do. */
    readonly sources?: readonly string[];
    /** Where there is no `gate`, whose own count for both. */
    readonly failOpen: boolean;
    readonly pins: string;
  };
  readonly probes: readonly ProbeName[];
  readonly fallback: boolean;
  readonly telemetry: TelemetryConfig;
  readonly alerts: { readonly drops: number; readonly everyMs: number };
  readonly metrics?: { readonly host: string; readonly port: number };
};

export type LedgerConfig = {
  readonly account: string;
  readonly keys: string;
  readonly trust: string;
  readonly rpc: readonly string[];
  readonly maxStalenessMs: number;
  readonly maxClockSkewMs: number;
  readonly leaseMs: number;
};

export type TelemetryConfig = {
  readonly stdout: boolean;
  readonly file?: { readonly path: string; readonly bytesMax: number };
  readonly otlp?: { readonly url: string; readonly headers: readonly string[] };
  readonly nats?: {
    readonly servers: readonly string[];
    readonly subject: string;
    readonly stream: string;
    readonly tokenFile?: string;
    readonly user?: string;
    readonly passwordFile?: string;
  };
  readonly redact?: readonly RedactionRule[];
  readonly perSecond: number;
  readonly burst: number;
  readonly kernelPerSecond: number;
};

/** Where the gates stay in the kernel; undefined: they go with the process, or there are none. */
export function pinsOf({ gate, outgoing }: AgentConfig): string | undefined {
  const settings = gate ?? outgoing;
  return settings === undefined || settings.failOpen ? undefined : settings.pins;
}

/** @throws WeftError CONFIG_UNREADABLE, CONFIG_SYNTAX, CONFIG_INVALID (names the key) */
export function loadAgentConfig(path: string): AgentConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new WeftError('CONFIG_UNREADABLE', `cannot read the configuration ${path}: ${messageOf(error)}`, { path });
  }
  let document: unknown;
  try {
    document = path.endsWith('.json') ? JSON.parse(text) : parseYaml(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new WeftError('CONFIG_SYNTAX', `${path}: ${messageOf(error)}`, { path });
  }
  return checkAgentConfig(document, path);
}

/** Fills in defaults and makes paths absolute (relative to `path`'s folder). @throws WeftError CONFIG_INVALID */
export function checkAgentConfig(document: unknown, path: string): AgentConfig {
  const copy: unknown = structuredClone(document);
  const ajv = new Ajv2020({ strict: true, useDefaults: true, allowUnionTypes: true });
  const validate = ajv.compile(schema);
  if (!validate(copy)) {
    const [error] = validate.errors ?? [];
    const at = (error?.instancePath ?? '').slice(1).replaceAll('/', '.');
    const extra = error?.keyword === 'additionalProperties' ? ` '${String(error.params['additionalProperty'])}'` : '';
    throw wrong(path, at, `${at === '' ? 'the configuration' : `'${at}'`} ${error?.message ?? 'is not valid'}${extra}`);
  }
  const config = copy as AgentConfig;
  const { ledger, gate, outgoing, telemetry } = config;
  if (ledger !== undefined && ledger.leaseMs > ledger.maxStalenessMs)
    throw wrong(
      path,
      'ledger.leaseMs',
      `'ledger.leaseMs' is above maxStalenessMs (${ledger.maxStalenessMs}): a revoked route could outlive what a status may be old`,
    );
  for (const [n, source] of (outgoing?.sources ?? []).entries())
    try {
      parsePrefix(source);
    } catch (error) {
      throw wrong(path, `outgoing.sources.${n}`, `'outgoing.sources.${n}': ${messageOf(error)}`);
    }
  const folder = dirname(path);
  const at = (name: string): string => resolve(folder, name);
  const { file, nats } = telemetry;
  return {
    ...config,
    state: at(config.state),
    ...(ledger === undefined ? {} : { ledger: { ...ledger, keys: at(ledger.keys), trust: at(ledger.trust) } }),
    ...(gate === undefined ? {} : { gate: { ...gate, pins: at(gate.pins) } }),
    ...(outgoing === undefined ? {} : { outgoing: { ...outgoing, pins: at(outgoing.pins) } }),
    telemetry: {
      ...telemetry,
      ...(file === undefined ? {} : { file: { ...file, path: at(file.path) } }),
      ...(nats === undefined
        ? {}
        : {
            nats: {
              ...nats,
              ...(nats.tokenFile === undefined ? {} : { tokenFile: at(nats.tokenFile) }),
              ...(nats.passwordFile === undefined ? {} : { passwordFile: at(nats.passwordFile) }),
            },
          }),
    },
  };
}

function wrong(path: string, key: string, why: string): WeftError {
  return new WeftError('CONFIG_INVALID', `${path}: ${why}`, { key, path });
}

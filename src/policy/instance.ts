/**
 * Cedar instances that can be thrown away.
 *
 * `@cedar-policy/cedar-wasm/nodejs` is one CommonJS file of generated glue that holds one WebAssembly instance in a
 * module variable; after a trap that instance answers every later call with a trap. So the glue is not imported: its
 * source is evaluated once per instance, with its own `WebAssembly` that hands out the module compiled once here. An
 * instance costs about 2 ms and shares nothing with another one.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import { WeftError } from '../codec/error.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { POLICY_ENGINE_ID } from './engineId.ts';
import { POLICY_LIMITS } from './limits.ts';
import { type WasmInstance, type WasmModule, wasm } from './webAssembly.ts';

/** The calls that the adapter makes; nothing else of the package is used. */
export type CedarCalls = Pick<
  typeof Cedar,
  | 'getCedarSDKVersion'
  | 'getCedarLangVersion'
  | 'policySetTextToParts'
  | 'policyToJson'
  | 'preparsePolicySet'
  | 'preparseSchema'
  | 'schemaToJsonWithResolvedTypes'
  | 'statefulIsAuthorized'
  | 'validate'
>;

export type CedarInstance = {
  readonly calls: CedarCalls;
  /** Whether the host could give this instance all the memory it is allowed: asked after a trap. */
  hostHadMemory(): boolean;
};

type Glue = (exports: object, require: unknown, directory: string, webAssembly: object) => void;

let loaded: { readonly module: WasmModule; readonly glue: Glue } | undefined;

/** Reads and compiles once per process (about 15 ms). @throws POLICY_ENGINE_MISMATCH */
function load(): { readonly module: WasmModule; readonly glue: Glue } {
  if (loaded !== undefined) return loaded;
  const gluePath = createRequire(import.meta.url).resolve('@cedar-policy/cedar-wasm/nodejs');
  const published = readFileSync(join(dirname(gluePath), 'cedar_wasm_bg.wasm'));
  const have = sha256Hex(published);
  if (have !== POLICY_ENGINE_ID.wasmSha256) {
    throw new WeftError(
      'POLICY_ENGINE_MISMATCH',
      `cedar_wasm_bg.wasm has SHA-256 ${have}, this build needs ${POLICY_ENGINE_ID.wasmSha256}: reinstall the dependencies with npm ci`,
      { part: 'wasmSha256', wanted: POLICY_ENGINE_ID.wasmSha256, have },
    );
  }
  loaded = {
    module: new wasm.Module(boundMemory(published, POLICY_LIMITS.memoryPagesMax)),
    glue: compileFunction(readFileSync(gluePath, 'utf8'), ['exports', 'require', '__dirname', 'WebAssembly'], {
      filename: gluePath,
    }) as Glue,
  };
  return loaded;
}

/**
 * A fresh instance.
 * @throws POLICY_ENGINE_MISMATCH, and whatever the host throws when it has no memory left
 */
export function openInstance(): CedarInstance {
  const { module, glue } = load();
  let instance: WasmInstance | undefined;
  const calls = {} as CedarCalls;
  glue(calls, () => ({ readFileSync: () => undefined }), '', {
    Module: function given() {
      return module;
    },
    Instance: function made(_module: WasmModule, imports: object) {
      instance = new wasm.Instance(module, imports);
      return instance;
    },
  });
  const memory = instance?.exports['memory'];
  if (
    !(memory instanceof wasm.Memory) ||
    calls.getCedarSDKVersion() !== POLICY_ENGINE_ID.sdk ||
    calls.getCedarLangVersion() !== POLICY_ENGINE_ID.language
  ) {
    throw new WeftError(
      'POLICY_ENGINE_MISMATCH',
      `@cedar-policy/cedar-wasm is not ${POLICY_ENGINE_ID.sdk} (language ${POLICY_ENGINE_ID.language}): reinstall the dependencies with npm ci`,
    );
  }
  return {
    calls,
    hostHadMemory: () => {
      try {
        memory.grow(POLICY_LIMITS.memoryPagesMax - memory.buffer.byteLength / 65_536);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/**
 * Who failed. A trap (or a throw that the module itself decided on through `__wbindgen_throw`, a plain Error) follows
 * from the bytes alone and is the same on every node; anything else (RangeError of the host's stack or memory) is this
 * machine's trouble and says nothing about the request.
 */
export function failureOf(error: unknown, instance: CedarInstance): 'trap' | 'host' {
  const decided =
    error instanceof wasm.RuntimeError || (error instanceof Error && Object.getPrototypeOf(error) === Error.prototype);
  return decided && instance.hostHadMemory() ? 'trap' : 'host';
}

/**
 * The published module declares a memory without a maximum: how far it grows would be the host's decision. This
 * rewrites that one declaration (section 5 of the binary format) and leaves every other byte as it is.
 */
export function boundMemory(published: Uint8Array, pagesMax: number): Uint8Array<ArrayBuffer> {
  let at = 8;
  const readNumber = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = published[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < published.length) {
    const start = at;
    const section = published[at++];
    const length = readNumber();
    const end = at + length;
    if (section === 5) {
      const count = published[at++];
      const flags = published[at++];
      const pagesMin = readNumber();
      if (count !== 1 || flags !== 0 || at !== end || pagesMin > pagesMax) break;
      const body = [1, 1, ...toLeb128(pagesMin), ...toLeb128(pagesMax)];
      const head = published.subarray(0, start);
      const tail = published.subarray(end);
      const patched = new Uint8Array(head.length + 2 + body.length + tail.length);
      patched.set(head, 0);
      patched.set([5, body.length, ...body], head.length);
      patched.set(tail, head.length + 2 + body.length);
      return patched;
    }
    at = end;
  }
  throw new WeftError(
    'POLICY_ENGINE_MISMATCH',
    'the Cedar module does not declare one memory without a maximum: this build does not know how to bound it',
  );
}

function toLeb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** The part of WebAssembly that `instance.ts` uses. TypeScript ships these types only together with those of the DOM. */
export type WasmModule = object;
export type WasmMemory = { readonly buffer: ArrayBuffer; grow(pages: number): number };
export type WasmInstance = { readonly exports: Readonly<Record<string, unknown>> };

type Api = {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => WasmInstance;
  readonly Memory: new (limits: { initial: number; maximum: number }) => WasmMemory;
  readonly RuntimeError: new (message?: string) => Error;
};

export const wasm: Api = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;

// Kernel programs from C to what the agent loads: bpf/*.bpf.c → bpf/dist/*.json, and bpf/abi.h → bpf/dist/abi.json.
//   npm run bpf:build               write what changed (needs clang, bpftool, libbpf headers)
//   npm run bpf:build -- --check    write nothing; exit 1 when a file is stale; `skipped: reason` without the same compiler
// Compiler, flags and working folder decide the bytes, so the same sources give the same files everywhere.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..');
const sources = join(root, 'bpf');
const dist = join(sources, 'dist');

/** What made the files. Another version of either gives other bytes. */
export type Tools = { readonly clang: string; readonly bpftool: string };

/** @returns the tools of this machine, or why it cannot build. */
function findTools(): Tools | string {
  const clang = spawnSync('clang', ['--version'], { encoding: 'utf8' });
  if (clang.status !== 0) return 'clang is not here';
  const bpftool = spawnSync('bpftool', ['version'], { encoding: 'utf8' });
  if (bpftool.status !== 0) return 'bpftool is not here';
  if (!existsSync('/usr/include/bpf/bpf_helpers.h')) return 'the headers of libbpf are not here';
  const version = (text: string): string => /(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? 'unknown';
  return { clang: version(clang.stdout), bpftool: version(bpftool.stdout) };
}

function command(program: string, args: readonly string[]): string {
  const result = spawnSync(program, args, { cwd: sources, encoding: 'latin1', maxBuffer: 1 << 26 });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${result.stderr}`);
  return result.stdout;
}

function compile(source: string, object: string): void {
  // The folder of the C library's own headers has the machine's name on Debian.
  const machine = command('clang', ['-print-multiarch']).trim();
  const include = machine === '' ? [] : [`-idirafter/usr/include/${machine}`];
  // Line information names the sources: without the prefix of this checkout.
  const paths = [`-fdebug-prefix-map=${sources}=/weft/bpf`];
  const flags = ['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter'];
  command('clang', [...flags, ...paths, ...include, '-c', source, '-o', object]);
}

/** The bytes of a C string literal of a generated skeleton; its size stands beside it. */
function literal(skeleton: string, name: string): Buffer {
  const text = new RegExp(`opts\\.${name} = \\(void \\*\\)"(.*?)";`, 's').exec(skeleton)?.[1];
  const size = new RegExp(`opts\\.${name}_sz = (\\d+)`).exec(skeleton)?.[1];
  if (text === undefined || size === undefined) throw new Error(`the skeleton has no ${name}`);
  const escapes: Readonly<Record<string, string>> = { 0: '\0', n: '\n', t: '\t' };
  const plain = text
    .replaceAll('\\\n', '')
    .replace(/\\(x[0-9a-f]{2}|.)/gs, (_, code: string) =>
      code[0] === 'x' ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
    );
  const bytes = Buffer.from(plain, 'latin1');
  if (bytes.length !== Number(size)) throw new Error(`${name}: ${bytes.length} bytes read, ${size} announced`);
  return bytes;
}

/** Names in the order of the loader's table: it answers with file descriptors in this order. */
function descriptions(skeleton: string, kind: 'map' | 'prog'): string[] {
  return [...skeleton.matchAll(new RegExp(`struct bpf_${kind}_desc (\\w+);`, 'g'))].map((match) => match[1] ?? '');
}

function skeletonOf(source: string, folder: string): object {
  const object = join(folder, source.replace(/\.c$/, '.o'));
  compile(source, object);
  const skeleton = command('bpftool', ['gen', 'skeleton', '-L', object, 'name', 'weft']);
  const data = literal(skeleton, 'data');
  const insns = literal(skeleton, 'insns');
  return {
    sha256: createHash('sha256').update(data).update(insns).digest('hex'),
    maps: descriptions(skeleton, 'map'),
    programs: descriptions(skeleton, 'prog'),
    data: data.toString('base64'),
    insns: insns.toString('base64'),
  };
}

type BtfType = {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly values?: readonly { readonly name: string; readonly val: number }[];
  readonly members?: readonly { readonly name: string; readonly type_id: number; readonly bits_offset: number }[];
};

/** Sizes, offsets and values of every `weft_` type of abi.h. Padding that only says where it is (`pad`) is left out. */
function abiOf(folder: string): object {
  const object = join(folder, 'abi.o');
  compile('abi.c', object);
  const { types } = JSON.parse(command('bpftool', ['btf', 'dump', 'file', object, '-j'])) as { types: BtfType[] };
  const byId = new Map(types.map((type) => [type.id, type]));
  const sizeOf = (id: number | undefined): number => {
    const type = byId.get(id ?? 0);
    if (type === undefined) throw new Error(`BTF names type ${id} and does not have it`);
    if (type.kind === 'ARRAY') return (type.nr_elems ?? 0) * sizeOf(type.type_id);
    return type.size ?? sizeOf(type.type_id);
  };
  const structs: Record<string, object> = {};
  const enums: Record<string, object> = {};
  for (const type of types) {
    if (!type.name.startsWith('weft_')) continue;
    if (type.kind === 'ENUM')
      enums[type.name] = Object.fromEntries((type.values ?? []).map(({ name, val }) => [name, val]));
    if (type.kind !== 'STRUCT') continue;
    const members = (type.members ?? []).filter(({ name }) => name !== 'pad');
    const fields = members.map((member) => [
      member.name,
      { offset: member.bits_offset / 8, size: sizeOf(member.type_id) },
    ]);
    structs[type.name] = { size: type.size, fields: Object.fromEntries(fields) };
  }
  return { structs, enums };
}

/** File name → text of everything in bpf/dist. */
function build(tools: Tools): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-bpf-'));
  const text = (content: object): string => `${JSON.stringify({ built: tools, ...content }, null, 1)}\n`;
  try {
    const files = new Map([['abi.json', text(abiOf(folder))]]);
    const programs = readdirSync(sources).filter((name) => name.endsWith('.bpf.c'));
    for (const name of programs.sort()) files.set(`${basename(name, '.bpf.c')}.json`, text(skeletonOf(name, folder)));
    return files;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns names of files that differ from what the sources give, or why that cannot be said here. */
export function staleFiles(folder = dist): string[] | string {
  const tools = findTools();
  if (typeof tools === 'string') return tools;
  const there = existsSync(folder) ? readdirSync(folder) : [];
  const abi = there.includes('abi.json') ? JSON.parse(readFileSync(join(folder, 'abi.json'), 'utf8')) : undefined;
  const made = abi?.built as Tools | undefined;
  if (made !== undefined && (made.clang !== tools.clang || made.bpftool !== tools.bpftool))
    return `made with clang ${made.clang} and bpftool ${made.bpftool}; here are ${tools.clang} and ${tools.bpftool}`;
  const files = build(tools);
  const differs = (name: string): boolean =>
    !there.includes(name) || readFileSync(join(folder, name), 'utf8') !== files.get(name);
  return [...[...files.keys()].filter(differs), ...there.filter((name) => !files.has(name))];
}

function main(check: boolean): number {
  const tools = findTools();
  if (typeof tools === 'string') {
    process.stdout.write(`${check ? 'skipped' : 'weft'}: ${tools}: apt-get install clang llvm libbpf-dev bpftool\n`);
    return check ? 0 : 1;
  }
  if (check) {
    const stale = staleFiles();
    if (typeof stale === 'string') process.stdout.write(`skipped: ${stale}\n`);
    else for (const name of stale) process.stdout.write(`bpf/dist/${name} is stale: run npm run bpf:build\n`);
    return typeof stale === 'string' || stale.length === 0 ? 0 : 1;
  }
  const files = build(tools);
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(dist)) if (!files.has(name)) rmSync(join(dist, name));
  for (const [name, content] of files) {
    const path = join(dist, name);
    if (!existsSync(path) || readFileSync(path, 'utf8') !== content) writeFileSync(path, content);
  }
  process.stdout.write(`${files.size} files in bpf/dist, clang ${tools.clang}, bpftool ${tools.bpftool}\n`);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(main(process.argv.includes('--check')));

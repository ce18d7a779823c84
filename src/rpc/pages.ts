// The pages for people (web/): sent as they are, in small modules, from a clone as from a published package. What may be sent is
// the closure of what the pages import, and nothing else of the disk.
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WeftError } from '../codec/error.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { RpcConfig } from '../node/config.ts';

/** A clone runs its TypeScript; a published package runs what lies in dist/, and brings the rest beside it. */
const isClone = import.meta.url.endsWith('.ts');
const packageRoot = new URL(isClone ? '../../' : '../../../', import.meta.url);
const codeRoot = isClone ? packageRoot : new URL('../../', import.meta.url);
const extension = isClone ? 'ts' : 'js';

const pages = ['approve', 'enrol'] as const;
const prefix = '/pages/';

/**
 * Nothing of other origins, no inline script, no frames, no strings that become markup: a name or reason on the ledger is text for
 * people and can never be more.
 */
const headers: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'cache-control': 'no-cache',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self)',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

type File = { readonly type: string; readonly body: string; readonly etag: string };

/** Serves `/approve`, `/enrol` and what they are made of. */
export function servePages(app: FastifyInstance, config: RpcConfig): void {
  let modules: ReadonlyMap<string, File> | undefined;
  for (const page of pages) {
    app.get(`/${page}`, (request, reply) => {
      const elsewhere = refuseHost(request, reply, config);
      return elsewhere ?? send(request, reply, file('text/html', html(page, config)));
    });
  }
  app.get(`${prefix}*`, (request, reply) => {
    modules ??= readModules();
    const found = modules.get(new URL(request.url, 'http://localhost').pathname);
    if (found === undefined) return reply.callNotFound();
    return send(request, reply, found);
  });
}

/**
 * A page works at the origin for which keys are registered. Without a configured one that is http://localhost; a browser lets
 * nobody make keys for an address in numbers, and other names are not ours (DNS rebinding).
 */
function refuseHost(request: FastifyRequest, reply: FastifyReply, config: RpcConfig): FastifyReply | undefined {
  if (config.webauthn !== undefined) return undefined;
  const host = request.headers.host ?? '';
  if (/^localhost(:\d+)?$/.test(host)) return undefined;
  const [, port = ''] = /^(?:127\.0\.0\.1|\[::1\])(:\d+)?$/.exec(host) ?? [undefined, undefined];
  if (/^(127\.0\.0\.1|\[::1\])(:|$)/.test(host)) {
    const scheme = config.tls === undefined ? 'http' : 'https';
    return reply.redirect(`${scheme}://localhost${port}${request.url}`, 302);
  }
  return reply
    .code(403)
    .headers(headers)
    .type('text/plain; charset=utf-8')
    .send(
      'This node has pages for http://localhost only. Its operator can name their origin: rpc.webauthn (docs/people.md).\n',
    );
}

function send(request: FastifyRequest, reply: FastifyReply, { type, body, etag }: File): FastifyReply {
  reply.headers(headers).header('etag', etag);
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  return reply.type(`${type}; charset=utf-8`).send(body);
}

function file(type: string, body: string): File {
  return { type, body, etag: `"${sha256Hex(new TextEncoder().encode(body)).slice(0, 32)}"` };
}

/** The configured relying party stands in the document: an attribute, whose characters the configuration's schema has bounded. */
function html(page: string, config: RpcConfig): string {
  const { rpId = '', origin = '' } = config.webauthn ?? {};
  return readFileSync(new URL(`web/${page}.html`, packageRoot), 'utf8')
    .replace('data-rp-id=""', `data-rp-id="${rpId}"`)
    .replace('data-origin=""', `data-origin="${origin}"`)
    .replace('data-module=""', `type="module" src="${prefix}web/${page}.${extension}"`);
}

/** URL path → what is sent. */
function readModules(): Map<string, File> {
  const found = new Map<string, File>([
    [`${prefix}style.css`, file('text/css', readFileSync(new URL('web/style.css', packageRoot), 'utf8'))],
    [`${prefix}icon.svg`, file('image/svg+xml', readFileSync(new URL('web/icon.svg', packageRoot), 'utf8'))],
  ]);
  const visit = (url: URL): string => {
    const path = pathOf(url);
    if (found.has(path)) return path;
    const source = readFileSync(url, 'utf8');
    const code = url.pathname.endsWith('.ts') ? stripTypeScriptTypes(source) : source;
    // Remembered before its imports are followed: modules may know each other.
    found.set(path, file('text/javascript', ''));
    const body = code.replace(importPattern, (whole, before: string, name: string, after: string) => {
      if (!name.startsWith('.')) return before + visit(packageModule(name)) + after;
      visit(new URL(name, url));
      return whole;
    });
    found.set(path, file('text/javascript', body));
    return path;
  };
  for (const page of pages) visit(new URL(`web/${page}.${extension}`, codeRoot));
  return found;
}

/** Static imports and re-exports at the beginning of a line, as our sources and our two kinds of packages write them. */
const importPattern = /(^(?:import\s+|(?:import|export)\s[^'"();=]*?\bfrom\s*)['"])([^'"\n]+)(['"])/gm;

function packageModule(name: string): URL {
  const url = new URL(import.meta.resolve(name));
  if (url.protocol !== 'file:')
    throw new WeftError('PAGE_MODULE_INVALID', `a page imports ${name}, which browsers do not have`);
  return url;
}

/** Below the code's root as it lies there; of a package from its last `node_modules/` on. Relative imports stay true in both. */
function pathOf(url: URL): string {
  const path = fileURLToPath(url).replaceAll('\\', '/');
  const at = path.lastIndexOf('/node_modules/');
  if (at >= 0) return prefix + path.slice(at + 1);
  const root = fileURLToPath(codeRoot).replaceAll('\\', '/');
  if (!path.startsWith(root))
    throw new WeftError('PAGE_MODULE_INVALID', `a page imports ${path} from outside the package`);
  return prefix + path.slice(root.length);
}

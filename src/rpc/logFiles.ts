import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import type { NodeApi } from '../node/api.ts';

const gzipBytes = promisify(gzip);

/**
 * The log as plain files, as C2SP tlog-tiles wants them: `/checkpoint`, `/tile/<level>/<n>[.p/<width>]` and
 * `/tile/entries/<n>[.p/<width>]`. No redirects; absent is 404; readable by any web page, since it is public evidence.
 */
const tilePath =
  /^tile\/(entries|[0-9]|[1-5][0-9]|6[0-3])\/(x[0-9]{3}\/){0,5}[0-9]{3}(\.p\/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?$/;

/** Smaller answers do not shrink enough to be worth the work; hash tiles never do. */
const gzipBytesMin = 1024;

export function serveLogFiles(app: FastifyInstance, api: NodeApi): void {
  app.get('/checkpoint', (_request, reply) => {
    reply.header('access-control-allow-origin', '*').header('cache-control', 'no-cache');
    const checkpoint = api.checkpoint();
    if (checkpoint === undefined) {
      return reply
        .code(404)
        .type('text/plain; charset=utf-8')
        .send('no checkpoint has been cosigned by a quorum yet\n');
    }
    return reply.type('text/plain; charset=utf-8').send(checkpoint);
  });

  app.get('/tile/*', async (request, reply) => {
    const path = (request.raw.url ?? '').slice(1).split('?', 1)[0] ?? '';
    const found = tilePath.test(path) ? api.tile(path) : undefined;
    reply.header('access-control-allow-origin', '*');
    if (found === undefined) {
      // It may exist a second from now.
      return reply
        .code(404)
        .header('cache-control', 'no-cache')
        .type('text/plain; charset=utf-8')
        .send('no such tile\n');
    }
    reply
      .header('cache-control', found.full ? 'public, max-age=31536000, immutable' : 'public, max-age=300')
      .type('application/octet-stream');
    const bytes = Buffer.from(found.bytes.buffer, found.bytes.byteOffset, found.bytes.byteLength);
    if (!path.startsWith('tile/entries/') || bytes.length < gzipBytesMin) return reply.send(bytes);
    reply.header('vary', 'accept-encoding');
    if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(bytes);
    return reply.header('content-encoding', 'gzip').send(await gzipBytes(bytes, { level: 4 }));
  });
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  const offered = String(header ?? '').split(',');
  return offered.some((each) => /^\s*gzip\s*(;\s*q=(1(\.0*)?|0?\.0*[1-9][0-9]*)\s*)?$/.test(each));
}

// Serves the page that every browser case runs in, builds of the package to compare, and a common clock.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { build } from 'esbuild';
import { WebSocketServer } from 'ws';
import { at } from '../../scripts/lib/paths.mjs';

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
// An isolated page's clock ticks every 5 µs, any other's every 100 µs.
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** `packages`: name of a build → its pkg folder; served with our wrapper below `/build/<name>/`. */
export async function startSite(context, packages) {
  const bundle = await build({
    entryPoints: [at('bench', 'page', 'page.mjs')],
    absWorkingDir: at('bench'), bundle: true, format: 'esm', minify: true, write: false, logLevel: 'warning',
  });
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const send = (type, body) => response.writeHead(200, { 'Content-Type': type, ...ISOLATED }).end(body);
    if (pathname === '/') return send('text/html', '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>');
    if (pathname === '/page.js') return send('text/javascript', bundle.outputFiles[0].contents);
    const [, name, folder, file] = pathname.match(/^\/build\/([^/]+)\/(pkg|js\/dist)\/((?:[\w-]+\/)*[\w.-]+)$/) ?? [];
    const place = folder === 'pkg' ? packages[name] : at('js', 'dist');
    try {
      return send(TYPES[path.extname(file)] ?? 'application/octet-stream', readFileSync(path.join(place, file)));
    } catch {
      return response.writeHead(404).end();
    }
  });
  const clock = new WebSocketServer({ server, path: '/clock', perMessageDeflate: false });
  clock.on('connection', (socket) => {
    socket._socket?.setNoDelay(true);
    socket.on('message', () => socket.send(String(performance.timeOrigin + performance.now())));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.defer(() => {
    for (const socket of clock.clients) socket.terminate();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${server.address().port}/` };
}

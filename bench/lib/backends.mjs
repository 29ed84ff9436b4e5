// The servers under measurement, each a process of its own: ours, and y-websocket's.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { at, serverBinary } from '../../scripts/lib/paths.mjs';
import { eventually } from '../../tests/browser/lib/runner.mjs';

const START_MS = 15_000;

/** Our server on a free port, with an empty data folder below `folder`. Flushes to that disk. */
export async function startPeersync(context, folder) {
  const data = mkdtempSync(path.join(folder, 'data-'));
  const readyFile = path.join(data, 'ready.json');
  const binary = process.env.PEERSYNC_BIN || serverBinary('release');
  const args = ['serve', '--host', '127.0.0.1', '--port', '0', '--data-dir', data, '--ready-file', readyFile];
  const child = start(context, binary, args, { RUST_LOG: 'warn' });
  context.defer(() => rmSync(data, { recursive: true, force: true }));
  const { http } = await eventually(START_MS, 'the server is ready', () => {
    if (child.exitCode !== null) throw new Error(`the server ended with exit code ${child.exitCode}`);
    return existsSync(readyFile) && JSON.parse(readFileSync(readyFile, 'utf8'));
  });
  return { http, ws: `${http.replace('http', 'ws')}/ws`, port: Number(new URL(http).port), pid: child.pid, data };
}

/** How many rooms our server has in memory. */
export async function roomsOpen({ http }) {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(text.match(/^peersync_rooms (\d+)$/m)[1]);
}

/** y-websocket's server as its README starts it: everything in memory, nothing is acknowledged. */
export async function startYWebsocket(context) {
  const port = await freePort();
  const script = at('bench', 'node_modules', '@y', 'websocket-server', 'src', 'server.js');
  start(context, process.execPath, [script], { HOST: '127.0.0.1', PORT: String(port) });
  const http = `http://127.0.0.1:${port}`;
  await eventually(START_MS, "y-websocket's server is ready", () => fetch(http).then((answer) => answer.ok, () => false));
  return { http, ws: `ws://127.0.0.1:${port}`, port };
}

function start(context, program, args, env = {}) {
  const child = spawn(program, args, { cwd: at(), env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  context.defer(() => {
    child.kill('SIGTERM');
    return gone;
  });
  return child;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

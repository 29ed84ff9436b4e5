// A TCP proxy that counts: every byte that TCP carries between one browser and a backend, HTTP upgrade included.
import net from 'node:net';

/** Forwards to `port` of this machine. `total()` is what went through so far, both ways. */
export async function startCounter(context, port) {
  const counts = { sent: 0, received: 0 };
  const sockets = new Set();
  const server = net.createServer({ noDelay: true }, (outside) => {
    const inside = net.connect({ port, host: '127.0.0.1', noDelay: true });
    outside.on('data', (bytes) => (counts.sent += bytes.length));
    inside.on('data', (bytes) => (counts.received += bytes.length));
    for (const [from, to] of [[outside, inside], [inside, outside]]) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.defer(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: server.address().port, total: () => counts.sent + counts.received };
}
